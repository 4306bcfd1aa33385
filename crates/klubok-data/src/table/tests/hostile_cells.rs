//! Cells that are refused, each with its sentence.

use super::*;

#[test]
fn refuses_cells_that_are_no_numbers() {
    for (content, sentence) in [
        (
            "a,y\n1,2\n,3\n",
            "line 3 of `t.csv` has nothing in column `a`: fill the cell, or remove the row or the column",
        ),
        (
            "a,y\n1,2\n\"\",3\n",
            "line 3 of `t.csv` has nothing in column `a`: fill the cell, or remove the row or the column",
        ),
        (
            "a,y\n1,2\n,\n",
            "line 3 of `t.csv` has nothing in column `a`: fill the cell, or remove the row or the column",
        ),
        (
            "a,y\n1,2\n NA ,3\n",
            "line 3 of `t.csv` has the missing value `NA` in column `a`: fill the cell, or remove the row or the column",
        ),
        (
            "a,y\n?,2\n1,3\n",
            "line 2 of `t.csv` has the missing value `?` in column `a`: fill the cell, or remove the row or the column",
        ),
        (
            "a,y\n1,2\nNone,3\n",
            "line 3 of `t.csv` has the missing value `None` in column `a`: fill the cell, or remove the row or the column",
        ),
        (
            "a,y\n1,2\nnan,3\n",
            "line 3 of `t.csv` has the missing value `nan` in column `a`: fill the cell, or remove the row or the column",
        ),
        (
            "a,y\n1,2\n-inf,3\n",
            "line 3 of `t.csv` has `-inf` in column `a`: a number must be finite and not above 3.4e38",
        ),
        (
            "a,y\n1e39,2\n",
            "line 2 of `t.csv` has `1e39` in column `a`: a number must be finite and not above 3.4e38",
        ),
        (
            "\u{feff}a,b,y\r\n1,cat,2\r\n",
            "line 2 of `t.csv` has the text `cat` in column `b`: only numbers are read, so remove the column or write it in numbers",
        ),
        (
            "a,b,c,y\n\"2\n\",2,2,1\n1,cat,dog,2\n",
            "line 4 of `t.csv` has text such as `cat` in the columns `b`, `c`: only numbers are read, so remove the columns or write them in numbers",
        ),
        (
            "a,y\n2024-05-01,2\n",
            "line 2 of `t.csv` has the text `2024-05-01` in column `a`: only numbers are read, so remove the column or write it in numbers",
        ),
        (
            "a,y\nThis is a very long text with many words in it,2\n",
            "line 2 of `t.csv` has the text `This is a very long text with many words...` in column `a`: only numbers are read, so remove the column or write it in numbers",
        ),
        (
            "a,y\n\"3,14\",2\n",
            "line 2 of `t.csv` has `3,14` in column `a`: write the decimal sign as a point, and no separators of thousands",
        ),
        (
            "a;y\n1.234,5;2\n",
            "line 2 of `t.csv` has `1.234,5` in column `a`: write the decimal sign as a point, and no separators of thousands",
        ),
        (
            "a;y\n3,14;2\n1;2.5\n",
            "line 3 of `t.csv` has `2.5` in column `y`, and line 2 has `3,14`: write the decimal sign as a point everywhere",
        ),
        (
            "a\ty\n1\t2.5\n3,14\t2\n",
            "line 3 of `t.csv` has `3,14` in column `a`, and line 2 has `2.5`: write the decimal sign as a point everywhere",
        ),
        (
            "a;y\n1,234;2\n12,500;3\n",
            "line 2 of `t.csv` has `1,234`, and every comma of the file may as well separate thousands: write the decimal sign as a point",
        ),
    ] {
        refused("y", content, sentence);
    }
}

#[test]
fn refuses_targets_and_weights_of_no_use() {
    let many = written(1100, |row| row.to_string());
    let prices = written(30, |row| format!("{row}.5"));
    for (text, content, sentence) in [
        (
            "y",
            "a,y\n1,\n",
            "line 2 of `t.csv` has nothing in column `y`: fill the cell, or remove the row or the column",
        ),
        (
            "y:class",
            "a,y\n1,cat\n2,NA\n",
            "line 3 of `t.csv` has the missing value `NA` in column `y`: fill the cell, or remove the row or the column",
        ),
        (
            "y:number",
            "a,y\n1,2\n2,cat\n",
            "line 3 of `t.csv` has the text `cat` in target `y`: numbers are to be predicted, so write it as one",
        ),
        (
            "y,z",
            "a,y,z\n1,2,3\n2,3,dog\n",
            "line 3 of `t.csv` has the text `dog` in target `z`: numbers are to be predicted, so write it as one",
        ),
        (
            "y,z:label",
            "a,y,z\n1,0,1\n2,1,2\n",
            "line 3 of `t.csv` has `2` in target `z`: a label is 0 or 1",
        ),
        ("y:label", "a,y\n1,yes\n", "line 2 of `t.csv` has `yes` in target `y`: a label is 0 or 1"),
        (
            "y",
            &format!("{prices}30,cheap\n"),
            "line 32 of `t.csv` has the text `cheap` in target `y`, which mostly has numbers: write it as a number, or choose the task `class`",
        ),
        (
            "y",
            &format!("{many}5,cheap\n"),
            "line 1102 of `t.csv` has the text `cheap` in target `y`, which mostly has numbers: write it as a number, or choose the task `class`",
        ),
        (
            "y:class",
            &many,
            "target `y` of `t.csv` has more than 1000 different numbers, too many for classes: choose the task `number`",
        ),
        (
            "y",
            &format!("a,y\n1,{}\n2,cat\n", "x".repeat(1001)),
            "line 2 of `t.csv` has a text of more than 1000 bytes in target `y`: the name of a class is shorter",
        ),
        (
            "y",
            "a,y\n1,cat\n2,cat\n3,cat\n",
            "target `y` of `t.csv` is `cat` in every row: there is nothing to learn, so name another column",
        ),
        (
            "y",
            "a,y\n1,7\n2,7.0\n",
            "target `y` of `t.csv` is `7` in every row: there is nothing to learn, so name another column",
        ),
        (
            "y,z",
            "a,y,z\n1,0.5,3\n2,0.5,4\n",
            "target `y` of `t.csv` is `0.5` in every row: there is nothing to learn, so name another column",
        ),
        (
            "y",
            "a,time,y\n1,1700000000,0.5\n2,1700000300,0.6\n3,1700000700,0.7\n",
            "column `time` of `t.csv` has numbers from 1700000000 to 1700000600, which differ too little for their size: subtract 1700000000 from all of them",
        ),
        (
            "y",
            "a,y\n1,20000000.1\n2,20000000.2\n3,20000000.3\n",
            "column `y` of `t.csv` has numbers from 20000000 to 20000000, which differ too little for their size: subtract 20000000 from all of them",
        ),
        (
            "y|w",
            "a,y,w\n1,2,1\n2,3,-0.5\n",
            "line 3 of `t.csv` has the weight `-0.5` in column `w`: a weight must be at least 0",
        ),
        (
            "y|w",
            "a,y,w\n1,2,1\n2,3,heavy\n",
            "line 3 of `t.csv` has the text `heavy` in column `w`: only numbers are read, so remove the column or write it in numbers",
        ),
        (
            "y|w",
            "a,y,w\n1,2,0\n2,3,0\n",
            "every weight in column `w` of `t.csv` is 0: at least one must be above 0",
        ),
    ] {
        refused(text, content, sentence);
    }
}

#[test]
fn refuses_what_a_model_does_not_know() {
    let cats = || KnownTarget::Classes(names(&["cat", "dog"]));
    let numbers = || KnownTarget::Numbers(names(&["y", "z"]));
    for (target, known_target, content, sentence) in [
        (
            "",
            cats(),
            "a,bb,c\n1,2,3\n",
            "`t.csv` has no column `b`, which the model needs, the nearest is `bb`: its columns are `a`, `bb`, `c`",
        ),
        (
            "",
            cats(),
            "long name\n1\n",
            "`t.csv` has no column `a`, which the model needs: its columns are `long name`",
        ),
        (
            "",
            cats(),
            "a,b,c,b\n1,2,3,4\n",
            "`t.csv` has two columns named `b`, number 2 and 4: rename one",
        ),
        (
            "y",
            cats(),
            "y,a,b\ncat,1,2\nbird,1,2\n",
            "line 3 of `t.csv` has the class `bird` in target `y`, and the model knows only `cat`, `dog`",
        ),
        (
            "y",
            numbers(),
            "y,a,b\n1,1,2\n",
            "the model has 2 targets, and you name 1: name a column for each of them",
        ),
        (
            "y,z",
            cats(),
            "y,z,a,b\n1,1,2,3\n",
            "the model has 1 target, and you name 2: name a column for each of them",
        ),
        (
            "y,z",
            numbers(),
            "y,z,a,b\n1,x,2,3\n",
            "line 2 of `t.csv` has the text `x` in target `z`: numbers are to be predicted, so write it as one",
        ),
        (
            "",
            cats(),
            "a,b\n1,x\n",
            "line 2 of `t.csv` has the text `x` in column `b`: only numbers are read, so remove the column or write it in numbers",
        ),
    ] {
        let options = known(target, known_target);
        assert_eq!(read_named("t.csv", content.as_bytes(), &options).unwrap_err(), sentence);
    }
}
