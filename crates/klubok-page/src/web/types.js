// @ts-check
// The answers of the server, as the Rust code beside this folder writes them. Only types: nothing loads this file.
// JSON knows no NaN and no infinity: a number that could be either may be null.

/** @typedef {number | null | undefined} Measured A number that may not have been measured. */
/** @typedef {{ en: string, ru?: string }} Bilingual */
/** @typedef {"class" | "label" | "number"} Target */

/**
 * @typedef {object} Layer
 * @property {string} name `hidden1`, ..., `output`
 * @property {number} units
 * @property {number} parameters
 * @property {string} activation
 * @property {boolean} batch_norm
 * @property {number} dropout
 */

/**
 * @typedef {object} RunData
 * @property {string} source
 * @property {"pictures" | "columns"} kind
 * @property {number | null} width of pictures
 * @property {number | null} height
 * @property {number | null} channels
 * @property {string[] | null} columns their names
 * @property {Target} target
 * @property {string[]} classes names of the outputs: classes, labels or numbers
 * @property {number[]} train samples of each class or with each label; empty for numbers
 * @property {number[]} val
 */

/**
 * `/api/run`.
 * @typedef {object} Run
 * @property {string} name
 * @property {string} path
 * @property {boolean} can_act
 * @property {boolean} takes_pictures
 * @property {boolean} live
 * @property {string[]} panels those that apply
 * @property {string} config_text
 * @property {string} command
 * @property {string} quoted_path for a command
 * @property {RunData} data
 * @property {{ inputs: number, parameters: number, layers: Layer[] }} network
 * @property {number} train_samples
 * @property {number} val_samples
 * @property {number} step_samples validation samples of a measurement within an epoch
 * @property {number} chance accuracy of guessing; 0 for numbers
 * @property {number | null} loss_of_guessing
 */

/**
 * @typedef {object} LayerMetrics
 * @property {string} name
 * @property {number} [grad_norm]
 * @property {number} weight_norm
 * @property {number} [update_ratio]
 * @property {number} [active_fraction]
 * @property {number} [silent_fraction]
 * @property {number} [dead_fraction]
 * @property {number} [saturated_fraction]
 * @property {number} [distance_from_start]
 */

/**
 * A line of `metrics.jsonl` or `steps.jsonl`. What was not measured is absent.
 * @typedef {object} Metrics
 * @property {number} epoch
 * @property {number} step
 * @property {number | null} [train_loss]
 * @property {number | null} [train_eval_loss]
 * @property {number | null} [val_loss]
 * @property {number | null} [val_loss_calibrated]
 * @property {number | null} [temperature]
 * @property {number | null} [train_accuracy]
 * @property {number | null} [val_accuracy]
 * @property {number | null} [val_rmse]
 * @property {number | null} [val_r2]
 * @property {number | null} [learning_rate]
 * @property {number | null} [grad_norm]
 * @property {number | null} [prediction_spread]
 * @property {number} seconds
 * @property {number} elapsed_seconds
 * @property {number | null} [samples_per_second]
 * @property {LayerMetrics[]} layers
 */

/** @typedef {{ [figure: string]: number | null }} Evidence */

/**
 * @typedef {object} Phase
 * @property {string} name
 * @property {number} start first epoch
 * @property {number} end last epoch
 * @property {number} certainty 0 to 1
 * @property {Evidence} evidence
 */

/**
 * @typedef {object} Verdict
 * @property {string} name
 * @property {"info" | "warning" | "error"} severity
 * @property {number} since epoch
 * @property {Evidence} evidence
 * @property {string} try arguments of `klubok train`; empty where no setting helps
 * @property {string} source
 * @property {Bilingual} sentence
 * @property {Bilingual} advice
 */

/** @typedef {{ event: "start" | "resume" | "phase" | "verdict" | "stopped", step: number, epoch: number }} OtherEvent */
/**
 * What a person did to the training; `epochs` and `rate` come with the acts that change them.
 * @typedef {{ event: "person", step: number, epoch: number, act: string, epochs?: number, rate?: number }} PersonEvent
 */
/** @typedef {OtherEvent | PersonEvent} EventLine */

/**
 * Where a training is; also the events of `/api/live`.
 * @typedef {object} Status
 * @property {"starting" | "training" | "resting" | "following" | "ended"} mode
 * @property {number} step
 * @property {number} epoch
 * @property {number} steps_per_epoch
 * @property {number} epochs
 * @property {number | null} samples_per_second
 * @property {number} elapsed_seconds
 * @property {number | null} seconds_left
 * @property {string | null} stopped
 * @property {number[]} lines numbers of records: epochs, steps, events
 * @property {number | null} snapshot the step of the newest snapshot
 * @property {number | null} pace seconds that the whole training takes at least
 */

/**
 * `/api/story`: the records after those that the browser has.
 * @typedef {object} TimelineUpdate
 * @property {Metrics[]} epochs
 * @property {Metrics[]} steps
 * @property {EventLine[]} events
 * @property {Phase[]} phases
 * @property {Verdict[]} verdicts
 * @property {number | null} best_epoch
 * @property {number[]} film the steps of the film
 * @property {number[]} wholes the steps at which the whole network is known
 * @property {Status} now
 */

/** @typedef {{ width: number, height: number, channels: number }} Shape of a picture */

/**
 * A sample as the network gets it: pixels in base64 with their shape, or values of columns.
 * @typedef {Partial<Shape> & { pixels?: string, values?: (number | null)[] }} Sample
 */

/** @typedef {{ unit: number, value: number }} UnitValue */
/** @typedef {[input: number, unit: number, carried: number]} Edge a weight between units that are drawn, with what it carries */

/**
 * A layer on the way back: `arrives` is the size of the error before its activation, `norm` behind it; `deltas` are those of
 * the units that are drawn, and the edges take them to the layer before.
 * @typedef {object} BackwardLayer
 * @property {string} name
 * @property {number} open how many gates
 * @property {number} arrives
 * @property {number} norm
 * @property {number[]} deltas
 * @property {Edge[]} edges
 * @property {{ unit: number, input: number, slope: number }[]} steepest
 */
/**
 * @typedef {object} BackwardPass
 * @property {number} target
 * @property {BackwardLayer[]} layers
 * @property {UnitValue[]} inputs slopes at those that are drawn, or at the pixels that get most
 * @property {string} input
 * @property {number} input_scale
 */

/** @typedef {{ name: string, units: number, active: number, drawn: UnitValue[], edges: Edge[] }} ForwardLayer */

/**
 * `/api/look/pass`: one sample through the network, and its error back.
 * @typedef {object} PassOnly
 * @property {number} step
 * @property {string | null} name
 * @property {number | null} label
 * @property {number[] | null} targets labels or numbers of the sample
 * @property {[number, number] | null} beside rows of the samples before and after
 * @property {UnitValue[]} inputs columns that are drawn, as the network gets them
 * @property {ForwardLayer[]} layers
 * @property {{ [layer: string]: string }} activations of the units that the film shows
 * @property {number[]} probabilities
 * @property {number[]} confidences
 * @property {number[] | null} start_confidences
 * @property {number | null} loss
 * @property {BackwardPass | null} backward
 * @property {boolean | null} far
 * @property {Bilingual | null} [trust]
 */
/** @typedef {Sample & PassOnly} Pass */

/** @typedef {{ picture: number }} KeptPicture `/api/picture`: the number of the uploaded picture */

/** @typedef {{ from: number, to: number, samples: number, confidence: number | null, accuracy: number | null }} Bin */
/** @typedef {{ row: number, name: string, label: number, said: number, confidence: number }} Mistake */

/**
 * `/api/look/answers` of classes.
 * @typedef {object} ClassPredictions
 * @property {number} step
 * @property {number} samples
 * @property {number} accuracy
 * @property {[number, number]} accuracy_interval
 * @property {number} chance
 * @property {{ class: string, precision: number | null, recall: number | null, f1: number | null, support: number }[]} per_class
 * @property {number[][]} confusion
 * @property {number} ece
 * @property {Bin[]} calibration
 * @property {Mistake[]} mistakes
 */

/** @typedef {Sample & { row: number, name: string, confidence: number }} CellSample */
/** @typedef {Partial<Shape> & { step: number, of: number, samples: CellSample[] }} ConfusionCell `/api/look/cell` */

/** @typedef {{ label: string, precision: number | null, recall: number | null, f1: number | null, average_precision: number | null, support: number }} LabelFigures */

/**
 * `/api/look/answers` of labels.
 * @typedef {object} LabelPredictions
 * @property {number} step
 * @property {number} samples
 * @property {number} accuracy
 * @property {[number, number]} accuracy_interval
 * @property {number} chance
 * @property {number} exact share of samples with all labels right
 * @property {number | null} macro_f1
 * @property {number | null} mean_average_precision
 * @property {LabelFigures[]} per_label
 */

/** @typedef {{ output: string, rmse: number | null, mae: number | null, r2: number | null }} NumberFigures */

/**
 * `/api/look/answers` of numbers.
 * @typedef {object} NumberPredictions
 * @property {number} step
 * @property {number} samples
 * @property {number | null} rmse
 * @property {number | null} mae
 * @property {number | null} r2
 * @property {NumberFigures[]} per_output
 * @property {[number, number][]} pairs truth and prediction
 */

/** @typedef {ClassPredictions | LabelPredictions | NumberPredictions} Predictions */

/**
 * `/api/look/layers`.
 * @typedef {object} Layers
 * @property {number} step
 * @property {{ name: string, width: number, probe: number, flip: number | null, shift: number | null }[]} layers
 * @property {number} network accuracy of the network itself
 * @property {number} learnt_from
 * @property {number} samples
 * @property {number | null} pixels by how many a picture is shifted; none for columns
 */

/** @typedef {{ off: number, mean: number, least: number, most: number }} Ablation */
/** @typedef {{ step: number, samples: number, draws: number, shares: Ablation[] }} Lesions `/api/look/lesions` */

/** @typedef {Sample & { row: number, name: string, label: number, said: number, confidence: number, loss: number }} Suspect */
/**
 * `/api/look/suspects`.
 * @typedef {{ step: number, samples: number, moments: number, doubt: number, suspects: Suspect[] }} LabelErrors
 */

/** @typedef {[x: number, y: number, label: number, said: number]} CloudPoint */
/** @typedef {{ step: number, moments: number[], width: number, points: CloudPoint[] }} Cloud `/api/look/cloud` */

/** @typedef {{ unit: number, start: string, added: string, norm_added: number }} FeatureUnit */
/**
 * `/api/look/features`; before the first snapshot there are no units and no scales.
 * @typedef {Shape & { step?: number, of?: number, moments: number[], scale_start?: number, scale_added?: number, units: FeatureUnit[] }} Features
 */

/** @typedef {{ unit: number, pixels: string, value: number, rows: number[], values: number[] }} Maximum */
/**
 * `/api/look/excites`.
 * @typedef {object} MaximaOnly
 * @property {number} step
 * @property {string} layer
 * @property {number} of
 * @property {number} samples
 * @property {number} components
 * @property {Maximum[]} units
 * @property {{ [row: string]: { pixels: string, truth: string | null } }} pictures
 */
/** @typedef {Shape & MaximaOnly} ActivationMaxima */

/**
 * `/api/look/neuron`; with a shape where its inputs are pixels.
 * @typedef {object} NeuronOnly
 * @property {number} step
 * @property {string} layer
 * @property {number} unit
 * @property {number} inputs
 * @property {string} x
 * @property {string} w
 * @property {number | null} b
 * @property {number | null} sum
 * @property {number | null} z
 * @property {number | null} a
 * @property {string} activation
 * @property {boolean} normalised
 * @property {string} from
 */
/** @typedef {Partial<Shape> & NeuronOnly} Neuron */

/**
 * `/api/look/slope`.
 * @typedef {object} Slope
 * @property {number} step
 * @property {string} layer
 * @property {number} unit
 * @property {number} input
 * @property {number} weight
 * @property {number} epsilon
 * @property {number} loss
 * @property {[number, number]} moved losses with the weight moved down and up
 * @property {number} measured
 * @property {number} told
 */

/** @typedef {{ name: string, parameters: number, cosine: number | null, length: number, relative: number | null, typical: number | null, still: number, sizes: number[] }} LayerMotion */
/**
 * `/api/look/motion`; of an earlier moment that nobody watched there is nothing.
 * @typedef {object} Motion
 * @property {number} [step]
 * @property {number} [learning_rate]
 * @property {number} lowest_power
 * @property {number} bins_of_a_power
 * @property {LayerMotion[]} layers
 */

/** @typedef {{ step: number, at: [number, number], off: number, loss: number | null }} Spot */
/**
 * `/api/look/terrain`.
 * @typedef {object} Terrain
 * @property {number} step
 * @property {number | null} best
 * @property {number} third
 * @property {number} samples
 * @property {number} side
 * @property {[number, number]} low
 * @property {[number, number]} high
 * @property {(number | null)[]} losses
 * @property {Spot[]} spots
 */

/**
 * @typedef {object} ComparedRun
 * @property {string} name
 * @property {number} epochs
 * @property {number | null} best_val_loss
 * @property {number | null} best_val_accuracy
 * @property {number | null} best_val_r2
 * @property {[number, number | null][]} val_loss epoch and loss
 * @property {boolean} current
 * @property {boolean} comparable whether its losses are measured as those of the current run
 * @property {{ [setting: string]: unknown }} differs
 */
/** @typedef {{ runs: ComparedRun[] }} Runs `/api/runs` */

/**
 * `/api/race`: the name of the data, and the varied settings of each lane.
 * @typedef {{ name: string, can_act: boolean, lanes: [key: string, value: string][][] }} Race
 */

/** @typedef {{ [lang: string]: { [key: string]: string } }} Texts `/api/texts` */

/**
 * What a report holds in the place of a server.
 * @typedef {{ run: Run, story: TimelineUpdate, looks: { [path: string]: unknown } }} Report
 */

export {};
