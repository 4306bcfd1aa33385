//! A dog: hanging, folded or round ears at the sides, a long snout with a big nose, round eyes.

use super::{
    animal::{Build, Coat, Pose, body, eye},
    canvas::{Canvas, Rgb, Shape, V},
    dice::Dice,
};

#[derive(Debug, Clone, Copy)]
enum Ears {
    Hanging,
    Folded,
    Button,
}

pub(super) fn draw(dice: &mut Dice, canvas: &mut Canvas, pose: &Pose, coat: &Coat) {
    let wag = dice.range(0.0, 0.6);
    let build = Build {
        legs: 0.3,
        tail: [V(0.8, 3.3), V(1.4, 3.0), V(1.8, 2.5 - wag), V(1.9, 2.1 - wag)],
        taper: V(0.24, 0.12),
    };
    body(canvas, pose, coat, &build, dice.sign());
    let kind = dice.pick(&[Ears::Hanging, Ears::Hanging, Ears::Folded, Ears::Button]);
    let (length, wide) = (dice.range(0.2, 0.75), dice.range(0.2, 0.32));
    // The far ear is behind the head, the near one in front.
    ear(canvas, pose, coat, kind, pose.side(), length, wide);
    let skull = Shape::Union {
        parts: vec![
            pose.oval(pose.at(0.0, -0.15, 0.0), 0.84, 0.8),
            pose.oval(pose.at(0.0, 0.35, 0.35), 0.62, 0.55),
        ],
        melt: 0.3 * pose.scale,
    };
    canvas.paint(&skull, |p, d| coat.lit(pose.local(p), pose.local(p), d));
    ear(canvas, pose, coat, kind, -pose.side(), length, wide);
    let size = dice.range(0.11, 0.16);
    for side in [-1.0, 1.0] {
        let middle = pose.on(0.37 * side, -0.2);
        let width = pose.width(0.37 * side);
        let lid = pose.oval(middle, size * width, size);
        let pupil = pose.oval(middle, size * width * 0.68, size * 0.68);
        eye(canvas, coat, &lid, &pupil, middle + V(0.6, -0.7));
    }
    muzzle(dice, canvas, pose, coat);
}

fn ear(
    canvas: &mut Canvas,
    pose: &Pose,
    coat: &Coat,
    kind: Ears,
    side: f32,
    length: f32,
    wide: f32,
) {
    let ink = |p: V, d: f32| coat.lit(pose.local(p), pose.local(p), d).scaled(0.82);
    match kind {
        Ears::Hanging => {
            let points = [(0.6, -0.72), (0.98, -0.4), (1.08, 0.1), (1.02, length)];
            let points = points.map(|(x, y)| pose.at(x * side, y, 0.0));
            canvas.paint(&Shape::stroke(&points, V(0.16, wide + 0.06) * pose.scale), ink);
        }
        Ears::Folded => {
            let upright = [(0.3, -0.75), (0.92, -0.4), (0.8, -1.05)];
            let upright = upright.map(|(x, y)| pose.at(x * side, y, 0.0)).to_vec();
            let flap = [(0.55, -0.95), (0.95, -1.02), (1.1, -0.35)];
            let flap = flap.map(|(x, y)| pose.at(x * side, y, 0.15)).to_vec();
            let round = 0.09 * pose.scale;
            canvas
                .paint(&Shape::Polygon { corners: upright, round }, |p, d| ink(p, d).scaled(1.15));
            canvas.paint(&Shape::Polygon { corners: flap, round }, ink);
        }
        Ears::Button => {
            let points = [(0.62, -0.7), (0.92, -0.5), (1.0, -0.15)];
            let points = points.map(|(x, y)| pose.at(x * side, y, 0.0));
            canvas.paint(&Shape::stroke(&points, V(0.2, wide + 0.08) * pose.scale), ink);
        }
    }
}

fn muzzle(dice: &mut Dice, canvas: &mut Canvas, pose: &Pose, coat: &Coat) {
    let long = dice.range(1.15, 1.5);
    let pen = V(0.045, 0.035) * pose.scale;
    if dice.chance(0.4) {
        let reach = dice.range(0.9, 1.15);
        let points = [(0.0, 0.72), (0.0, reach)].map(|(x, y)| pose.at(x, y, long - 0.1));
        let tongue = Shape::stroke(&points, V(0.16, 0.17) * pose.scale);
        canvas.paint(&tongue, |p, d| coat.shade(coat.skin, pose.local(p), d));
    }
    let bridge = Shape::Union {
        parts: vec![
            Shape::Limb {
                from: pose.at(0.0, 0.05, 0.8),
                to: pose.at(0.0, 0.42, long),
                radii: V(0.24, 0.34) * pose.scale,
            },
            pose.oval(pose.at(-0.18, 0.55, long - 0.2), 0.27, 0.27),
            pose.oval(pose.at(0.18, 0.55, long - 0.2), 0.27, 0.27),
        ],
        melt: 0.15 * pose.scale,
    };
    let tip = pose.at(0.0, 0.45, long);
    canvas.paint(&bridge, |p, d| {
        let lean = (p - tip) * (1.5 / pose.scale);
        coat.lit(pose.local(p), lean, d).mixed(Rgb([1.0; 3]), 0.22)
    });
    for side in [-1.0, 1.0] {
        let mouth = [(0.0, 0.4), (0.0, 0.62), (0.16, 0.74), (0.34, 0.68)];
        let mouth = mouth.map(|(x, y)| pose.at(x * side, y, long - 0.5 * x));
        canvas.glaze(&Shape::stroke(&mouth, pen), 1.0, 0.85, |_, _| coat.stroke());
    }
    let nose = pose.at(0.0, 0.3, long + 0.12);
    canvas.paint(&pose.oval(nose, 0.21, 0.16), |_, _| coat.line);
    let shine = pose.at(-0.06, 0.24, long + 0.15);
    canvas.glaze(&pose.oval(shine, 0.07, 0.04), 1.0, 0.7, |_, _| Rgb([0.9; 3]));
}
