//! What is read, and how.

use super::*;

#[test]
fn reads_every_dialect_alike() {
    let expected = table("y", "a,b,y\n1,2.5,0\n-3,4,1\n");
    assert_eq!((&expected.inputs, expected.rows), (&names(&["a", "b"]), 2));
    assert_eq!(expected.x, [1.0, 2.5, -3.0, 4.0]);
    assert_eq!(expected.target, Some(classes(&["0", "1"], &[0, 1])));
    for content in [
        "\u{feff}a,b,y\r\n1,2.5,0\r\n-3,4,1\r\n\r\n\r\n",
        "a;b;y\n1;2.5;0\n-3;4;1",
        "a;b;y\n1;2,5;0\n-3;4;1\n",
        "a\tb\ty\n1\t2,5\t0\n-3\t4\t1\n",
        "a,b,y\r1,2.5,0\r-3,4,1\r",
        " a , b , y \n 1 ,\t2.5, 0\n-3, 4 ,1 \n  \n",
        "\"a\",\"b\",\"y\"\n\"1\",\"2.5\",\"0\"\n\"-3\", \"4\" ,\"1\"\n",
        "\n\na,b,y\n1,2.5,0\n-3,4,1\n",
    ] {
        let table = Table { lines: Lines::default(), ..table("y", content) };
        assert_eq!(table, expected, "{content:?}");
    }
    let tsv = read_named("t.tsv", b"a,x\tb\ty\n1\t2.5\t0\n-3\t4\t1\n", &options("y")).unwrap();
    assert_eq!((&tsv.inputs[0][..], tsv.x), ("a,x", expected.x));
}

#[test]
fn knows_the_line_of_each_row() {
    let table = table("y", "\na,\"b\nc\",y\n1,2,0\n\"3\n\n\",4,1\n5,6,0\n");
    assert_eq!(table.inputs, ["a", "b\nc"]);
    assert_eq!([0, 1, 2].map(|row| table.lines.line(row)), [4, 5, 8]);
}

#[test]
fn chooses_classes_numbers_or_labels() {
    let of = |text: &str, values: &[&str]| {
        let count = values[0].split(',').count();
        let header = ["y", "z"][..count].join(",");
        let rows: Vec<String> = values.iter().map(|value| format!("1,{value}\n")).collect();
        let table = table(text, &format!("a,{header}\n{}", rows.concat()));
        (table.target.unwrap(), table.reason)
    };
    let is_classes = |values: &[&str]| matches!(of("y", values).0, TableTarget::Classes { .. });
    assert!(is_classes(&["cat", "dog"]) && is_classes(&["0", "1"]) && is_classes(&["-1", "1"]));
    assert!(is_classes(&["1", "2", "3", "4", "5"].repeat(3)));
    assert!(!is_classes(&["1", "2", "3", "4", "5"].repeat(2)));
    assert!(!is_classes(&["1", "2.5"].repeat(50)));
    let prices: Vec<String> = (0..21).map(|i| (100_000 + i).to_string()).collect();
    assert!(!is_classes(&prices.iter().map(String::as_str).collect::<Vec<_>>().repeat(9)));
    // Text among few numbers names classes.
    let (target, reason) = of("y", &["10", "2", "10+"]);
    assert_eq!((target, reason), (classes(&["10", "10+", "2"], &[0, 2, 1]), Reason::Text));
    let (target, reason) = of("y", &["10", "2", "1", "10", "2", "1.0", "1", "2", "10"]);
    let ascending = classes(&["1", "2", "10"], &[2, 1, 0, 2, 1, 0, 0, 1, 2]);
    assert_eq!((target, reason), (ascending, Reason::FewNumbers { distinct: 3 }));
    let numbers = |values: &[f32], name: &[&str]| TableTarget::Numbers {
        names: names(name),
        values: values.to_vec(),
    };
    assert_eq!(of("y:number", &["0", "1"]), (numbers(&[0.0, 1.0], &["y"]), Reason::Asked));
    let (target, reason) = of("y:class", &["0.5", "10", "2", "0.50"]);
    let expected = classes(&["0.5", "2", "10"], &[0, 2, 1, 0]);
    assert_eq!((target, reason), (expected, Reason::Asked));
    let (target, reason) = of("z,y", &["0,1", "1,0"]);
    let labels = TableTarget::Labels { names: names(&["z", "y"]), values: vec![1., 0., 0., 1.] };
    assert_eq!((target, reason), (labels, Reason::ZerosAndOnes));
    let (target, reason) = of("y,z", &["0,1", "1,2"]);
    let several = numbers(&[0.0, 1.0, 1.0, 2.0], &["y", "z"]);
    assert_eq!((target, reason), (several, Reason::SeveralNumbers));
    assert_eq!(table("", "a\n1\n").reason, Reason::NoTarget);
}

#[test]
fn columns_may_be_named_by_their_numbers() {
    assert_eq!(table("2", "0,1,2\n5,6,0\n7,8,1\n").inputs, ["0", "1"]);
    assert_eq!(table("label", "1,2,label\n5,6,0\n7,8,1\n").inputs, ["1", "2"]);
}

#[test]
fn reads_weights_beside_inputs_and_targets() {
    let table = table("y|w", "w,y,a\n0,cat,1\n2.5,dog,2\n");
    assert_eq!((&table.inputs[..], &table.x[..]), (&names(&["a"])[..], &[1.0, 2.0][..]));
    assert_eq!(table.weights, Some(vec![0.0, 2.5]));
}

#[test]
fn reads_the_columns_of_a_model_by_name() {
    let content = ",b,note,y,a,note\n0,1,x,dog,2,\n";
    let options = known("y", KnownTarget::Classes(names(&["dog", "cat"])));
    let table = read_named("t.csv", content.as_bytes(), &options).unwrap();
    assert_eq!((&table.inputs, &table.x[..]), (&names(&["a", "b"]), &[2.0, 1.0][..]));
    assert_eq!((table.target, table.reason), (Some(classes(&["dog", "cat"], &[0])), Reason::Model));
    let options = known("", KnownTarget::Numbers(names(&["y"])));
    let table = read_named("t.csv", content.as_bytes(), &options).unwrap();
    assert_eq!((table.target, table.rows), (None, 1));
    let options = known("y", KnownTarget::Labels(names(&["spam"])));
    let table = read_named("t.csv", b"a,b,y\n1,2,1\n", &options).unwrap();
    let labels = TableTarget::Labels { names: names(&["y"]), values: vec![1.0] };
    assert_eq!(table.target, Some(labels));
}

#[test]
fn reports_progress_in_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let content = format!("a,b\n{}", "1.25,2.5\n".repeat(300_000));
    fs_err::write(&path, &content).unwrap();
    let calls = std::sync::Mutex::new(Vec::new());
    read(&path, &TableOptions::default(), &|done, total| {
        assert_eq!(total, content.len());
        calls.lock().unwrap().push(done);
    })
    .unwrap();
    let calls = calls.into_inner().unwrap();
    assert!((2..5).contains(&calls.len()) && calls.is_sorted(), "{calls:?}");
    assert_eq!(calls.last(), Some(&content.len()));
}
