//! Tables of numbers.

use klubok::{
    config::DataConfig,
    data::{OpenOptions, Targets, open, table_target},
};
use klubok_fuzz::fuzz;

use crate::idx::{fast_temp_dir, settings};

const WORDS: [&[u8]; 16] = [
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r\n",
    b"\"",
    b"\"\"",
    b"NA",
    b"nan",
    b"inf",
    b"1e39",
    b"0,5",
    b"y",
    b"\xef\xbb\xbf",
    b"-",
    b"\0",
];

#[test]
fn tables() {
    let folder = fast_temp_dir();
    let path = folder.path().join("t.csv");
    let seeds = [
        "a,b,y\n1,2,0\n3,4,1\n5,6,1\n0,1,0\n",
        "\u{feff}a;\"b;c\";y\r\n1,5;2;yes\r\n3;4,25;no\r\n5;6;\"yes\"\r\n0;1;no\r\n",
        "a\ty\tw\n1\t0.25\t1\n-2\t1e3\t2\n\n",
        "x,y,z\n1,0,1\n2,1,1\n3,1,0\n4,0,0\n",
    ];
    let seeds = seeds.map(|seed| seed.as_bytes().to_vec());
    fuzz("tables", &seeds, &WORDS, |bytes| {
        fs_err::write(&path, bytes).unwrap();
        for target in [&["y"][..], &["y", "z"]] {
            let target = target.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
            let Ok((task, _)) = table_target(&path, &target, &|_, _| {}) else { continue };
            let config = DataConfig { target, task, ..settings() };
            let source = path.to_str().unwrap();
            let Ok(data) = open(source, &OpenOptions::new(config), &|_, _| {}) else { continue };
            let (rows, outputs) = (data.rows.len(), data.outputs.len());
            assert!(rows >= 2 && outputs >= 1, "{rows} rows, {outputs} outputs");
            let values = match &data.targets {
                Targets::Classes(classes) => {
                    assert!(classes.iter().all(|&class| (class as usize) < outputs));
                    classes.len() * outputs
                }
                Targets::Labels(y) => {
                    assert!(y.iter().all(|y| [0.0, 1.0].contains(y)), "{y:?}");
                    y.len()
                }
                Targets::Numbers(y) => {
                    assert!(y.iter().all(|y| y.is_finite()), "{y:?}");
                    y.len()
                }
            };
            assert_eq!(values, rows * outputs);
        }
    });
}
