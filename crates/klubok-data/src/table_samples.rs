//! Tables as samples: a file for the training set, and others for separate parts.

use std::path::{Path, PathBuf};

use klubok_model::Input;
use klubok_nn::{
    network::OutputKind,
    rows::{Kind, MemoryRows},
};

use crate::{
    DataError, KnownModel, OpenOptions, Part, Progress, Samples, Targets,
    error::Result,
    left_out::LeftOut,
    settings::{DataConfig, TargetKind},
    table::{self, KnownColumns, KnownTarget, Reason, Table, TableOptions, TableTarget},
};

/// The files of a table and its separate parts.
pub(super) fn files(source: &Path, options: &OpenOptions) -> Vec<(Part, PathBuf)> {
    let separate = options.separate().map(|(part, path)| (part, path.to_owned()));
    std::iter::once((Part::Train, source.to_owned())).chain(separate).collect()
}

/// Finds out what the target of a table is: what the settings say, else what its values decide.
///
/// # Errors
/// As for the table itself, but its inputs are not read.
pub fn table_target(
    source: &Path,
    columns: &[String],
    progress: Progress<'_>,
) -> Result<(TargetKind, Reason)> {
    let options = TableOptions { target: wanted(source, columns)?, ..TableOptions::default() };
    let table = table::read_target(source, &options, progress)?;
    Ok((kind(table.target.as_ref()), table.reason))
}

/// Reads all parts.
pub(super) fn open(
    source: &Path,
    options: &OpenOptions,
    progress: Progress<'_>,
) -> Result<Samples> {
    let DataConfig { target, weight, task, .. } = &options.data;
    let known = options.known.as_ref().map(|known| model_columns(source, known)).transpose()?;
    let mut wanted = TableOptions {
        target: wanted(source, target)?,
        weight: (!weight.is_empty()).then(|| weight.clone()),
        task: Some(*task),
        known,
    };
    let mut all: Option<Samples> = None;
    for (part, path) in files(source, options) {
        let table = table::read(&path, &wanted, progress)?;
        // Other parts have the columns and classes of the first.
        wanted.known.get_or_insert_with(|| columns_of(&table));
        let samples = samples(table, part, &wanted.target);
        match &mut all {
            None => all = Some(samples),
            Some(all) => all.append(samples)?,
        }
    }
    all.ok_or(DataError::NoTargets)
}

/// Reads the inputs of a table for a trained model, `[rows, inputs]`, without any target.
///
/// # Errors
/// As for the table; when the model does not take columns.
pub fn table_inputs(
    source: &Path,
    known: &KnownModel,
    progress: Progress<'_>,
) -> Result<MemoryRows> {
    let known = Some(model_columns(source, known)?);
    let table = table::read(source, &TableOptions { known, ..TableOptions::default() }, progress)?;
    Ok(inputs(&table))
}

/// Returns the target columns.
///
/// # Errors
/// [`DataError::NoTargetColumn`] when there are none; it names all columns.
fn wanted(source: &Path, columns: &[String]) -> Result<Vec<String>> {
    if !columns.is_empty() {
        return Ok(columns.to_vec());
    }
    let (path, columns) = (source.display().to_string(), table::column_names(source)?);
    Err(DataError::NoTargetColumn { path, columns })
}

fn model_columns(source: &Path, known: &KnownModel) -> Result<KnownColumns> {
    let Input::Columns(inputs) = &known.preprocessing.input else {
        let path = source.display().to_string();
        let (expected, got) = (known.preprocessing.input.describe(), "columns".to_owned());
        return Err(DataError::InputMismatch { path, expected, got });
    };
    let outputs = known.outputs.clone();
    let target = match known.kind {
        OutputKind::Classes => KnownTarget::Classes(outputs),
        OutputKind::Labels => KnownTarget::Labels(outputs),
        OutputKind::Numbers => KnownTarget::Numbers(outputs),
    };
    Ok(KnownColumns { inputs: inputs.clone(), target })
}

fn columns_of(table: &Table) -> KnownColumns {
    let target = match &table.target {
        Some(TableTarget::Numbers { names, .. }) => KnownTarget::Numbers(names.clone()),
        Some(TableTarget::Labels { names, .. }) => KnownTarget::Labels(names.clone()),
        Some(TableTarget::Classes { names, .. }) => KnownTarget::Classes(names.clone()),
        None => KnownTarget::Classes(Vec::new()),
    };
    KnownColumns { inputs: table.inputs.clone(), target }
}

fn kind(target: Option<&TableTarget>) -> TargetKind {
    match target {
        Some(TableTarget::Numbers { .. }) => TargetKind::Number,
        Some(TableTarget::Labels { .. }) => TargetKind::Label,
        Some(TableTarget::Classes { .. }) | None => TargetKind::Class,
    }
}

fn inputs(table: &Table) -> MemoryRows {
    let bytes = table.x.iter().flat_map(|value| value.to_ne_bytes()).collect();
    MemoryRows::empty(table.rows).with(Kind::Numbers, table.inputs.len(), bytes)
}

fn samples(table: Table, part: Part, columns: &[String]) -> Samples {
    let x = inputs(&table);
    let (targets, outputs) = match table.target {
        Some(TableTarget::Classes { names, of }) => (Targets::Classes(of), names),
        Some(TableTarget::Numbers { names, values }) => (Targets::Numbers(values), names),
        Some(TableTarget::Labels { names, values }) => (Targets::Labels(values), names),
        None => (Targets::Classes(vec![0; table.rows]), Vec::new()),
    };
    // Rows count from 0 in their file, as in predictions.
    let name = |row: usize| match part {
        Part::Train => row.to_string(),
        part => format!("{}/{row}", part.name()),
    };
    Samples {
        rows: targets.add_to(x, outputs.len()),
        input: Input::Columns(table.inputs),
        targets,
        outputs,
        columns: columns.to_vec(),
        weights: table.weights,
        parts: vec![part; table.rows],
        names: (0..table.rows).map(name).collect(),
        skipped: Vec::new(),
        left_out: LeftOut::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dataset, fixtures::folder, open};

    fn options(target: &[&str], task: TargetKind) -> OpenOptions {
        let target = target.iter().map(|&name| name.to_owned()).collect();
        OpenOptions::new(DataConfig { target, task, ..DataConfig::default() })
    }

    fn table(rows: usize) -> String {
        let row = |i: usize| format!("{},{},{},{}\n", i, i * i % 7, i as f64 / 4.0, i % 3);
        "a,b,price,kind\n".to_owned() + &(0..rows).map(row).collect::<String>()
    }

    fn opened(files: &[(&str, &str)], options: impl Fn(&Path) -> OpenOptions) -> Result<Dataset> {
        let folder = folder(files);
        let source = folder.path().join(files[0].0);
        open(source.to_str().unwrap(), &options(folder.path()), &|_, _| {})
    }

    #[test]
    fn columns_become_inputs_targets_and_parts() {
        let data =
            opened(&[("t.csv", &table(20))], |_| options(&["price"], TargetKind::Number)).unwrap();
        assert_eq!(data.input, Input::Columns(["a", "b", "kind"].map(String::from).to_vec()));
        assert_eq!((data.parts.train.len(), data.parts.val.len()), (16, 4));
        assert_eq!((&data.outputs, &data.columns), (&vec!["price".into()], &vec!["price".into()]));
        assert_eq!((data.target_text(7), data.names[7].as_str()), ("1.75".into(), "7"));
    }

    #[test]
    fn separate_parts_have_the_columns_of_the_first_in_any_order() {
        let val = "kind,b,a,price\n2,5,6,0.5\n0,1,2,0.25\n";
        let data = opened(&[("t.csv", &table(20)), ("v.tsv", &val.replace(',', "\t"))], |folder| {
            let val = Some(folder.join("v.tsv"));
            OpenOptions { val, ..options(&["kind"], TargetKind::Class) }
        })
        .unwrap();
        assert_eq!((data.parts.train.len(), data.parts.val.len()), (20, 2));
        assert_eq!((data.target_text(20), data.names[21].as_str()), ("2".into(), "val/1"));
        let mut row = [0; 12];
        data.rows.gather(klubok_nn::rows::Field::X, &[20], &mut row).unwrap();
        let row: Vec<f32> = row.as_chunks().0.iter().map(|b| f32::from_ne_bytes(*b)).collect();
        assert_eq!(row, [6.0, 5.0, 0.5]);
    }

    #[test]
    fn a_table_without_a_target_names_its_columns() {
        let error = opened(&[("t.csv", &table(20))], |_| options(&[], TargetKind::Class));
        let message = error.map(|_| ()).unwrap_err().to_string();
        assert!(message.ends_with("its columns are `a`, `b`, `price`, `kind`"), "{message}");
    }

    #[test]
    fn the_values_decide_what_the_target_is() {
        let folder = folder(&[("t.csv", &table(20))]);
        let path = folder.path().join("t.csv");
        let of = |column: &str| table_target(&path, &[column.to_owned()], &|_, _| {}).unwrap();
        assert_eq!(of("price"), (TargetKind::Number, Reason::Fractions));
        assert_eq!(of("kind"), (TargetKind::Class, Reason::FewNumbers { distinct: 3 }));
    }
}
