//! The scene around the animal: background, foreground, light and camera. The same for both
//! classes.

use super::{
    canvas::{Canvas, Rgb, SIDE, Shape, V, smoothstep},
    dice::{Dice, Grain, turn, wave},
};

const EDGE: f32 = SIDE as f32;
const LEVEL: V = V(1.0, 0.0);

/// Paints a background of roughly this brightness.
pub(super) fn background(dice: &mut Dice, low: f32, high: f32) -> Canvas {
    let (one, other) = (dice.colour(low, high), dice.colour(low, high));
    let direction = dice.direction();
    let middle = V(EDGE / 2.0, EDGE / 2.0);
    let grain = Grain::new(dice);
    let (kind, scale, rough) = (dice.below(6), dice.range(0.08, 0.3), dice.range(0.0, 0.25));
    let floor = dice.range(30.0, 56.0);
    let canvas = Canvas::filled(|p| {
        let along = (p - middle).dot(direction);
        let share = match kind {
            0 => along / EDGE + 0.5,
            1 => grain.at(p * scale),
            2 => smoothstep(0.35, 0.65, wave(along * scale * 0.5)),
            3 => {
                let across = (p - middle).dot(V(-direction.1, direction.0));
                let tile = wave(along * scale * 0.4).max(wave(across * scale * 0.4));
                smoothstep(0.8, 0.95, tile)
            }
            4 => smoothstep(-0.7, 0.7, p.1 - floor),
            _ => (grain.at(p * scale) + 0.5 * grain.at(p * (2.0 * scale))) / 1.5,
        };
        let speckle = 1.0 + rough * (grain.at(p * 0.7) - 0.5);
        one.mixed(other, share.clamp(0.0, 1.0)).scaled(speckle)
    });
    clutter(dice, canvas, low, high)
}

/// Adds objects behind the animal: balls, boards, wedges, ropes and blots of light.
fn clutter(dice: &mut Dice, mut canvas: Canvas, low: f32, high: f32) -> Canvas {
    let count = if dice.chance(0.35) { 0 } else { 1 + dice.below(6) };
    for _ in 0..count {
        let at = dice.point(0.0, EDGE);
        let shape = match dice.below(4) {
            0 => {
                let radii = dice.point(3.0, 11.0);
                Shape::Ellipse { centre: at, radii, turn: dice.direction() }
            }
            1 => board(at, dice.point(3.0, 13.0), turn(dice.range(-0.2, 0.2))),
            2 => {
                let size = dice.range(5.0, 13.0);
                let corners = (0..3).map(|_| at + dice.direction() * size).collect();
                Shape::Polygon { corners, round: dice.range(0.0, 2.0) }
            }
            _ => {
                let reach = dice.direction() * dice.range(8.0, 30.0);
                Shape::Limb { from: at, to: at + reach, radii: dice.point(1.0, 4.5) }
            }
        };
        let colour = dice.colour(low - 0.12, high + 0.12);
        let (edge, alpha) = (dice.pick(&[1.0, 1.5, 4.0]), dice.range(0.4, 1.0));
        let shade = dice.direction() * 0.015;
        canvas.glaze(&shape, edge, alpha, |p, _| colour.scaled(1.0 + (p - at).dot(shade)));
    }
    canvas
}

fn board(centre: V, half: V, turn: V) -> Shape {
    let corners = [V(-1.0, -1.0), V(1.0, -1.0), V(1.0, 1.0), V(-1.0, 1.0)]
        .map(|c| centre + V(c.0 * half.0, c.1 * half.1).rotated(turn));
    Shape::Polygon { corners: corners.to_vec(), round: 0.3 }
}

/// Adds a foreground to some pictures: a fence, leaves, a ball, grass, a branch or a box.
pub(super) fn foreground(dice: &mut Dice, canvas: &mut Canvas) {
    if dice.chance(0.6) {
        return;
    }
    let colour = dice.colour(0.1, 0.85);
    let ink = |_: V, d: f32| colour.scaled(1.0 + 0.08 * (d + 1.5).clamp(-3.0, 0.0));
    let at = dice.range(8.0, EDGE - 8.0);
    match dice.below(6) {
        0 => {
            let lean = dice.range(-6.0, 6.0);
            for x in (0..4).map(|i| at - 32.0 + 24.0 * i as f32) {
                let (from, to) = (V(x, -4.0), V(x + lean, EDGE + 4.0));
                canvas.paint(&Shape::Limb { from, to, radii: V(1.2, 1.2) }, ink);
            }
        }
        1 => {
            let corner = V(dice.pick(&[0.0, EDGE]), dice.pick(&[0.0, EDGE]));
            for _ in 0..5 {
                let left = corner + dice.direction() * dice.range(0.0, 14.0);
                let right = left + dice.direction() * dice.range(9.0, 17.0);
                let leaf = Shape::Almond { left, right, upper: 2.6, lower: 2.6 };
                let light = dice.range(0.75, 1.2);
                canvas.paint(&leaf, |p, d| ink(p, d).scaled(light));
            }
        }
        2 => {
            let radius = dice.range(5.0, 10.0);
            let centre = V(at, EDGE - dice.range(0.0, 8.0));
            canvas.paint(&Shape::disc(centre, radius), |p, d| {
                ink(p, d).scaled(1.15 - 0.25 * (p - centre).1 / radius)
            });
        }
        3 => {
            for _ in 0..14 {
                let from = V(dice.range(0.0, EDGE), EDGE + 1.0);
                let to = from + V(dice.range(-7.0, 7.0), -dice.range(8.0, 22.0));
                let light = dice.range(0.7, 1.25);
                let blade = Shape::Limb { from, to, radii: V(1.2, 0.2) };
                canvas.paint(&blade, |p, d| ink(p, d).scaled(light));
            }
        }
        4 => {
            let (from, to) = (V(-3.0, at), V(EDGE + 3.0, dice.range(0.0, EDGE)));
            let radii = dice.point(0.8, 2.0);
            canvas.paint(&Shape::Limb { from, to, radii }, ink);
        }
        _ => {
            let half = V(dice.range(10.0, 30.0), dice.range(6.0, 14.0));
            canvas.paint(&board(V(at, EDGE), half, LEVEL), ink);
        }
    }
}

/// Applies light over the whole picture, then the camera: exposure, contrast, tint, blur and noise.
pub(super) fn develop(dice: &mut Dice, mut canvas: Canvas) -> Vec<u8> {
    let slope = dice.direction() * (dice.range(0.0, 0.45) / EDGE);
    let (exposure, contrast) = (dice.range(0.85, 1.15), dice.range(0.75, 1.15));
    let tint = Rgb([0; 3].map(|_: i32| dice.range(0.94, 1.06)));
    let middle = V(EDGE / 2.0, EDGE / 2.0);
    for (i, pixel) in canvas.0.iter_mut().enumerate() {
        let p = V((i % SIDE) as f32, (i / SIDE) as f32);
        let light = exposure * (1.0 + (p - middle).dot(slope));
        *pixel = Rgb([0, 1, 2].map(|c| 0.5 + contrast * (light * tint.0[c] * pixel.0[c] - 0.5)));
    }
    for _ in 0..dice.pick(&[0, 0, 0, 1, 1, 2]) {
        canvas.blur();
    }
    let noise = dice.range(0.0, 0.045);
    let mut bytes = Vec::with_capacity(SIDE * SIDE * 3);
    for pixel in &canvas.0 {
        // The sum of four uniform bytes is nearly normal: mean 510, standard deviation 147.8.
        let sum: u32 = dice.bits().to_le_bytes().into_iter().map(u32::from).sum();
        let speck = noise * (sum as f32 - 510.0) / 147.8;
        bytes.extend(pixel.0.map(|v| ((v + speck).clamp(0.0, 1.0) * 255.0 + 0.5) as u8));
    }
    bytes
}

/// Draws the lowest and highest brightness of a background that contrasts with fur of brightness
/// `luma`.
pub(super) fn behind(dice: &mut Dice, luma: f32) -> (f32, f32) {
    let gap = 0.14;
    let below = (luma - gap - 0.1).max(0.0);
    let above = (0.9 - luma - gap).max(0.0);
    if dice.range(0.0, below + above) < below { (0.12, luma - gap) } else { (luma + gap, 0.9) }
}
