//! The runtimes, each behind the same function.

use std::{error::Error, result::Result};

use klubok_export::onnx::{CLASS, INPUT, PROBABILITIES, VALUES};
use rten_tensor::{AsView, NdTensor};
use tract_onnx::prelude::{
    Datum, Framework, InferenceModelExt, IntoRunnable, IntoTensor, Tensor, tvec,
};

/// A runtime.
pub(crate) struct Runtime {
    pub(crate) name: &'static str,
    pub(crate) predict: fn(&[u8], Rows) -> Result<Prediction, Box<dyn Error>>,
}

pub(crate) const RUNTIMES: [Runtime; 2] =
    [Runtime { name: "rten", predict: rten }, Runtime { name: "tract", predict: tract }];

/// The samples of a call.
pub(crate) enum Rows {
    Bytes([usize; 4], Vec<u8>),
    Numbers([usize; 2], Vec<f32>),
}

/// What a runtime answers.
#[derive(Debug)]
pub(crate) struct Prediction {
    /// The number of the class of each sample, where there are classes.
    pub(crate) classes: Option<Vec<i64>>,
    /// Confidences or numbers, `[samples, outputs]`.
    pub(crate) values: Vec<f32>,
}

fn rten(file: &[u8], rows: Rows) -> Result<Prediction, Box<dyn Error>> {
    let model = rten::Model::load(file.to_vec())?;
    let input = match rows {
        Rows::Bytes(shape, values) => NdTensor::from_data(shape, values).into(),
        Rows::Numbers(shape, values) => NdTensor::from_data(shape, values).into(),
    };
    let values = model.node_id(PROBABILITIES).or_else(|_| model.node_id(VALUES))?;
    let class = model.node_id(CLASS).ok();
    let outputs: Vec<_> = [values].into_iter().chain(class).collect();
    assert!(outputs.iter().all(|id| model.output_ids().contains(id)));
    let mut results = model.run(vec![(model.node_id(INPUT)?, input)], &outputs, None)?.into_iter();
    let values = results.next().and_then(|value| value.into_tensor::<f32>()).ok_or("no numbers")?;
    let classes = results.next().and_then(|value| value.into_tensor::<i32>());
    Ok(Prediction {
        classes: classes.map(|classes| classes.to_vec().into_iter().map(i64::from).collect()),
        values: values.to_vec(),
    })
}

fn tract(mut file: &[u8], rows: Rows) -> Result<Prediction, Box<dyn Error>> {
    let model = tract_onnx::onnx().model_for_read(&mut file)?;
    let outlets = model.output_outlets()?.to_vec();
    let names: Vec<String> =
        outlets.iter().map(|outlet| model.node(outlet.node).name.clone()).collect();
    let plan = model.into_optimized()?.into_runnable()?;
    let input = match rows {
        Rows::Bytes(shape, values) => Tensor::from_shape(&shape, &values)?,
        Rows::Numbers(shape, values) => Tensor::from_shape(&shape, &values)?,
    };
    let results = plan.run(tvec!(input.into()))?;
    let (mut classes, mut values) = (None, None);
    for (name, result) in names.iter().zip(results) {
        match name.as_str() {
            CLASS => classes = Some(numbers::<i64>(&result.into_tensor())?),
            PROBABILITIES | VALUES => values = Some(numbers::<f32>(&result.into_tensor())?),
            _ => {}
        }
    }
    Ok(Prediction { classes, values: values.ok_or("no numbers")? })
}

fn numbers<T: Datum + Copy>(tensor: &Tensor) -> Result<Vec<T>, Box<dyn Error>> {
    Ok(tensor.to_plain_array_view::<T>()?.iter().copied().collect())
}
