//! A cat: pointed ears on top, a short round face, slit almond eyes, a small nose, whiskers.

use super::{
    animal::{Build, Coat, Pose, body, eye},
    canvas::{Canvas, Rgb, Shape, V},
    dice::Dice,
};

pub(super) fn draw(dice: &mut Dice, canvas: &mut Canvas, pose: &Pose, coat: &Coat) {
    let curl = dice.range(0.6, 1.5);
    let build = Build {
        legs: 0.26,
        tail: [V(0.8, 3.4), V(1.7, 3.3), V(2.0, 2.6), V(1.6, 2.6 - curl)],
        taper: V(0.2, 0.14),
    };
    body(canvas, pose, coat, &build, dice.sign());
    let (tall, spread) = (dice.range(1.2, 1.55), dice.range(0.68, 0.98));
    for side in [-1.0, 1.0] {
        ear(canvas, pose, coat, side, V(spread, -tall));
    }
    head(canvas, pose, coat, dice.range(0.0, 0.2));
    let (open, slit, slant) = (dice.range(0.1, 0.17), dice.range(0.03, 0.1), dice.range(0.0, 0.1));
    for side in [-1.0, 1.0] {
        let middle = pose.on(0.4 * side, -0.06);
        let width = 0.25 * pose.width(0.4 * side);
        let across = pose.on(0.4 * side + width * side, -0.06 - slant) - middle;
        let across = across * (width * pose.scale / across.length().max(0.1));
        let lid = Shape::Almond {
            left: middle - across * side,
            right: middle + across * side,
            upper: open * pose.scale * 1.1,
            lower: open * pose.scale,
        };
        let pupil = pose.oval(middle, slit * pose.width(0.4 * side), open);
        eye(canvas, coat, &lid, &pupil, middle + V(0.7, -0.8));
    }
    snout(canvas, pose, coat);
    whiskers(dice, canvas, pose, coat);
}

fn ear(canvas: &mut Canvas, pose: &Pose, coat: &Coat, side: f32, tip: V) {
    let corners = [
        pose.at(0.18 * side, -0.7, 0.1),
        pose.at(0.95 * side, -0.25, -0.05),
        pose.at(tip.0 * side, tip.1, -0.1),
    ];
    let middle = (corners[0] + corners[1] + corners[2]) * (1.0 / 3.0);
    let outer = Shape::Polygon { corners: corners.to_vec(), round: 0.05 * pose.scale };
    canvas.paint(&outer, |p, d| coat.lit(pose.local(p), pose.local(p), d));
    let inner = corners.map(|c| middle + (c - middle) * 0.52 + V(0.0, 0.03 * pose.scale));
    let inner = Shape::Polygon { corners: inner.to_vec(), round: 0.04 * pose.scale };
    canvas.glaze(&inner, 1.5, 0.8, |p, _| coat.shade(coat.skin, pose.local(p), -9.0));
}

fn head(canvas: &mut Canvas, pose: &Pose, coat: &Coat, chubby: f32) {
    let parts = vec![
        pose.oval(pose.at(0.0, -0.08, 0.0), 0.95, 0.8),
        pose.oval(pose.at(-0.48, 0.28, 0.25), 0.52 + chubby, 0.46),
        pose.oval(pose.at(0.48, 0.28, 0.25), 0.52 + chubby, 0.46),
    ];
    let shape = Shape::Union { parts, melt: 0.3 * pose.scale };
    canvas.paint(&shape, |p, d| coat.lit(pose.local(p), pose.local(p), d));
}

fn snout(canvas: &mut Canvas, pose: &Pose, coat: &Coat) {
    for side in [-1.0, 1.0] {
        let centre = pose.at(0.17 * side, 0.44, 0.95);
        canvas.glaze(&pose.oval(centre, 0.24, 0.18), 0.2 * pose.scale, 0.5, |p, d| {
            coat.lit(pose.local(p), V(0.0, 0.0), d.min(-2.0)).mixed(Rgb([1.0; 3]), 0.45)
        });
    }
    let nose = [(-0.13, 0.24), (0.13, 0.24), (0.0, 0.36)].map(|(x, y)| pose.at(x, y, 1.05));
    let pen = V(0.035, 0.03) * pose.scale;
    let ink = |_: V, _: f32| coat.stroke();
    for side in [-1.0, 1.0] {
        let mouth = [(0.0, 0.36), (0.0, 0.47), (0.12, 0.56), (0.27, 0.53)];
        let mouth = mouth.map(|(x, y)| pose.at(x * side, y, 1.03 - 0.3 * x));
        canvas.glaze(&Shape::stroke(&mouth, pen), 1.0, 0.85, ink);
    }
    let nose = Shape::Polygon { corners: nose.to_vec(), round: 0.04 * pose.scale };
    canvas.paint(&nose, |_, _| coat.skin.mixed(coat.line, 0.35));
}

fn whiskers(dice: &mut Dice, canvas: &mut Canvas, pose: &Pose, coat: &Coat) {
    let droop = dice.range(-0.15, 0.2);
    let colour = if coat.luma() > 0.6 { Rgb([0.2; 3]) } else { Rgb([0.96; 3]) };
    for side in [-1.0, 1.0] {
        for (i, rise) in [-0.16, 0.0, 0.16].into_iter().enumerate() {
            let from = pose.at(0.32 * side, 0.4 + 0.06 * i as f32, 0.85);
            let to = pose.at(1.3 * side, 0.4 + rise * 1.6 + droop, 0.5);
            let hair = Shape::Limb { from, to, radii: V(0.3, 0.1) };
            canvas.glaze(&hair, 1.0, 0.75, |_, _| colour);
        }
    }
}
