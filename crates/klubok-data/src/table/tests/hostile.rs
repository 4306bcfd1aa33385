//! Files that are refused, each with its sentence.

use super::*;

#[test]
fn refuses_files_that_are_no_tables() {
    for (content, sentence) in [
        (
            &b""[..],
            "`t.csv` is empty: a table has a line that names its columns, and rows below it",
        ),
        (
            b" \r\n\n",
            "`t.csv` is empty: a table has a line that names its columns, and rows below it",
        ),
        (
            b"PK\x03\x04\x14\x00\x06\x00",
            "`t.csv` is an Excel file or another ZIP archive: a table is text with commas, semicolons or tabs between its columns",
        ),
        (
            b"\x1f\x8b\x08\x00",
            "`t.csv` is a gzip archive: a table is text with commas, semicolons or tabs between its columns",
        ),
        (
            b"<!DOCTYPE html><html>",
            "`t.csv` is a web page: a table is text with commas, semicolons or tabs between its columns",
        ),
        (
            b"[{\"a\": 1}]",
            "`t.csv` is JSON: a table is text with commas, semicolons or tabs between its columns",
        ),
        (
            b"\xff\xfea\0,\0y\0\n\0",
            "`t.csv` is text in UTF-16: save it in UTF-8 (in Excel as `CSV UTF-8`)",
        ),
        (
            b"a\0,\0y\0\n\0",
            "line 1 of `t.csv` has a zero byte, which no text has: save the table as text",
        ),
        (
            b"a,y\n1,2\n3,\x004\n",
            "line 3 of `t.csv` has a zero byte, which no text has: save the table as text",
        ),
        (
            b"a,y\n1,2\n1,\xff\n",
            "line 3 of `t.csv` is not UTF-8: save the table in UTF-8 (in Excel as `CSV UTF-8`)",
        ),
        (
            b"\xf6\xe5\xed\xe0,y\n1,2\n",
            "line 1 of `t.csv` is not UTF-8: save the table in UTF-8 (in Excel as `CSV UTF-8`)",
        ),
    ] {
        refused("y", content, sentence);
    }
}

#[test]
fn refuses_headers_without_a_name_for_each_column() {
    for (target, content, sentence) in [
        (
            "y",
            "1,2\n3,4\n",
            "line 1 of `t.csv` has numbers instead of names: the first line must name the columns",
        ),
        (
            "y",
            "\n\n1,5;2,5\n3;4\n",
            "line 3 of `t.csv` has numbers instead of names: the first line must name the columns",
        ),
        (
            "y",
            "a,,y\n1,2,3\n4,5,6\n",
            "column 2 of `t.csv` has no name: the header must name every column",
        ),
        (
            "species",
            "5.1,3.5,1.4,0.2,Iris-setosa\n4.9,3.0,1.4,0.2,Iris-setosa\n",
            "line 1 of `t.csv` has numbers instead of names: the first line must name the columns",
        ),
        (
            "0",
            "1,1,0\n2,2,1\n",
            "line 1 of `t.csv` has numbers instead of names: the first line must name the columns",
        ),
        (
            "labels",
            "label,0,1,2\n1,2,3,4\n5,6,7,8\n",
            "`t.csv` has no column `labels`, the nearest is `label`: its columns are `label`, `0`, `1`, `2`",
        ),
        (
            "y",
            "1,1,0,cat\n2,2,1,dog\n",
            "line 1 of `t.csv` has numbers instead of names: the first line must name the columns",
        ),
        (
            "y",
            "a,y,\n1,2,\n4,5,\n",
            "column 3 of `t.csv` has no name: the header must name every column",
        ),
        (
            "y",
            ",a,y\n0,5,1\n1,6,2\n2,7,3\n",
            "the first column of `t.csv` has no name and counts the rows: remove it (pandas leaves it out with `index=False`)",
        ),
        (
            "y",
            "\"\",\"a\",\"y\"\n\"1\",5,1\n\"2\",6,2\n",
            "the first column of `t.csv` has no name and counts the rows: remove it (pandas leaves it out with `index=False`)",
        ),
        (
            "y",
            ",a,y\nBob,5,1\nAnn,6,2\n",
            "column 1 of `t.csv` has no name: the header must name every column",
        ),
        (
            "y",
            "a,y,b, a\n1,2,3,4\n",
            "`t.csv` has two columns named `a`, number 1 and 4: rename one",
        ),
        (
            "price",
            "size,prices\n1,2\n3,4\n",
            "`t.csv` has no column `price`, the nearest is `prices`: its columns are `size`, `prices`",
        ),
        (
            "Price",
            "size,price\n1,2\n3,4\n",
            "`t.csv` has no column `Price`, the nearest is `price`: its columns are `size`, `price`",
        ),
        (
            "y",
            "c1,c2,c3,c4,c5,c6,c7,c8,c9,c10\n1,2\n3,4\n",
            "`t.csv` has no column `y`: its columns are `c1`, `c2`, `c3`, `c4`, `c5`, `c6`, `c7`, `c8` and 2 more",
        ),
        (
            "y",
            "a|b|y\n1|2|3\n",
            "`t.csv` has one column, `a|b|y`: a comma, a semicolon or a tab must separate columns, and at least two are needed",
        ),
        (
            "y",
            "y\n1\n2\n",
            "`t.csv` has no columns besides `y`: a network needs at least one as its input",
        ),
        (
            "y|w",
            "y,w\n1,1\n2,1\n",
            "`t.csv` has no columns besides `y`, `w`: a network needs at least one as its input",
        ),
        ("y|weight", "a,y\n1,1\n2,1\n", "`t.csv` has no column `weight`: its columns are `a`, `y`"),
    ] {
        refused(target, content, sentence);
    }
}

#[test]
fn refuses_options_that_contradict_each_other() {
    let content = "a,y,z,w\n1,2,3,4\n2,3,4,5\n";
    for (text, sentence) in [
        ("y,y", "target `y` is named twice: once is enough"),
        ("y|y", "`y` cannot be the target and the weight of a sample: name two columns"),
        ("y,z:class", "classes are in one column, and 2 targets are named: name one of them"),
    ] {
        refused(text, content, sentence);
    }
}

#[test]
fn refuses_rows_that_do_not_fit_the_header() {
    for (content, sentence) in [
        ("a,y\n", "`t.csv` has no rows below its header: a table has one for each sample"),
        ("a,y", "`t.csv` has no rows below its header: a table has one for each sample"),
        (
            "a,y\n1,2\n\n \n",
            "`t.csv` has one row: at least two are needed, one for training and one for validation",
        ),
        (
            "a,b,y\n1,2,3\n1,2\n",
            "line 3 of `t.csv` has 2 cells, and the header has 3 columns: every row needs a cell for each column",
        ),
        (
            "a,b,y\n1\n",
            "line 2 of `t.csv` has 1 cell, and the header has 3 columns: every row needs a cell for each column",
        ),
        (
            "a,y\n1,2\n1,2,3\n",
            "line 3 of `t.csv` has 3 cells, and the header has 2 columns: a cell that contains a separator needs quotes",
        ),
        (
            "a,y\n0,5,7\n",
            "line 2 of `t.csv` has 3 cells, and the header has 2 columns: a cell that contains a separator needs quotes",
        ),
        (
            "a,y\n1,2\n\n3,4\n",
            "line 3 of `t.csv` is empty, and there are rows below it: remove it or fill its cells",
        ),
        (
            "a,y\n\n1,2\n3,4\n",
            "line 2 of `t.csv` is empty, and there are rows below it: remove it or fill its cells",
        ),
        ("a,y\n1,2\na,y\n3,4\n", "line 3 of `t.csv` is the header again: remove it"),
        ("a,b,y\n1,2,3\n a ,b,y\n3,4,5\n", "line 3 of `t.csv` is the header again: remove it"),
        (
            "a,b,y\n1,2,3\na,2,4\n",
            "line 3 of `t.csv` has the text `a` in column `a`: only numbers are read, so remove the column or write it in numbers",
        ),
        (
            "a,y\n1,2\n\"3,4\n5,6\n",
            "line 3 of `t.csv` opens a quote that never closes: a quote within a cell is doubled",
        ),
        (
            "a,y\n\"1\n\",2\n4,\"x\n5,6\n",
            "line 4 of `t.csv` opens a quote that never closes: a quote within a cell is doubled",
        ),
        (
            "a,y\n1,2\n3,\"the \"big\" one\"\n",
            "line 3 of `t.csv` has text after the closing quote of cell 2: a quote within a cell is doubled",
        ),
    ] {
        refused("y", content, sentence);
    }
}

#[test]
fn refuses_paths_that_are_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path, words: &str| {
        let error = read(path, &TableOptions::default(), &|_, _| {}).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(folder.path(), "is a folder");
    refused(&folder.path().join("none.csv"), "none.csv");
    #[cfg(target_os = "linux")]
    refused(Path::new("/dev/zero"), "is a pipe or a device");
}

#[test]
fn bounds_rows_columns_and_lines() {
    let columns = format!("y{}\n", ",a".repeat(MAX_COLUMNS));
    refused("y", columns, "`t.csv` has more than 1000000 columns, the most that are read");
    let line = format!("a,y\n1,2\n1,{}\n", "2".repeat(records::MAX_ROW_BYTES));
    refused(
        "y",
        line,
        "line 3 of `t.csv` is longer than 32 MiB, the most that is read: each row needs a line of its own",
    );
    let quote = format!("a,y\n1,2\n1,\"{}", "2\n".repeat(records::MAX_ROW_BYTES / 2));
    refused(
        "y",
        quote,
        "line 3 of `t.csv` opens a quote that never closes: a quote within a cell is doubled",
    );
    refused(
        "y",
        written(70_000, |row| format!("x{row}")),
        "target `y` of `t.csv` has more than 65536 different texts: the rows of a class have the same text",
    );
    let numbers = written(70_000, |row| row.to_string());
    refused(
        "y:class",
        &numbers,
        "target `y` of `t.csv` has more than 1000 different numbers, too many for classes: choose the task `number`",
    );
    refused(
        "y",
        format!("{numbers}70000,cheap\n"),
        "line 70002 of `t.csv` has the text `cheap` in target `y`, which mostly has numbers: write it as a number, or choose the task `class`",
    );
    let rows = format!("a\n{}", "1\n".repeat(crate::record::MAX_ROWS + 1));
    refused("", rows, "`t.csv` has more than 16777216 rows, the most that are read");
}
