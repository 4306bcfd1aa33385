//! The common parts of cat and dog: pose, coat, light, body and eyes, all drawn from the same
//! distributions.
//!
//! The head is a unit sphere: x to the viewer's right, y down, z towards the viewer. Features are
//! points on or above the sphere, so turning the head moves them correctly.

use super::{
    canvas::{Canvas, Rgb, Shape, V, smoothstep},
    dice::{Dice, Grain, turn, wave},
};

/// Position and orientation of the head.
pub(super) struct Pose {
    centre: V,
    /// Radius of the head in pixels.
    pub(super) scale: f32,
    tilt: V,
    yaw: V,
    nod: V,
}

impl Pose {
    pub(super) fn new(dice: &mut Dice) -> Pose {
        let scale = dice.range(12.0, 19.0);
        // Small heads leave room for the body below.
        let room = 19.0 - scale;
        Pose {
            centre: V(
                32.0 + dice.range(-5.5, 5.5) + room * dice.range(-0.6, 0.6),
                34.0 - 0.9 * room + dice.range(-5.5, 5.5),
            ),
            scale,
            tilt: turn(dice.range(-0.33, 0.33)),
            yaw: turn(dice.range(-0.58, 0.58)),
            nod: turn(dice.range(-0.2, 0.2)),
        }
    }

    /// Projects a point of the head to a pixel.
    pub(super) fn at(&self, x: f32, y: f32, z: f32) -> V {
        let side = V(x, z).rotated_back(self.yaw);
        let up = V(y, side.1).rotated_back(self.nod);
        self.centre + V(side.0, up.0).rotated(self.tilt) * self.scale
    }

    /// Projects the point at (x, y) on the front of the sphere to a pixel.
    pub(super) fn on(&self, x: f32, y: f32) -> V {
        self.at(x, y, (1.0 - x * x - y * y).max(0.0).sqrt())
    }

    /// Returns the apparent width of a feature at `x` on the sphere; 1 from the front.
    pub(super) fn width(&self, x: f32) -> f32 {
        let z = (1.0 - x * x).max(0.0).sqrt();
        (V(x, z).rotated_back(self.yaw).1 / z.max(0.3)).clamp(0.35, 1.1)
    }

    /// Returns an upright ellipse around a pixel, with radii in head radii.
    pub(super) fn oval(&self, centre: V, rx: f32, ry: f32) -> Shape {
        Shape::Ellipse { centre, radii: V(rx, ry) * self.scale, turn: self.tilt }
    }

    /// Converts a pixel to head coordinates: head radii from its centre, tilted with it.
    pub(super) fn local(&self, p: V) -> V {
        (p - self.centre).rotated_back(self.tilt) * (1.0 / self.scale)
    }

    /// Projects a point of the body, below the head and upright, to a pixel.
    fn below(&self, x: f32, y: f32) -> V {
        self.centre + V(x, y) * self.scale
    }

    /// Returns 1 if the head looks to the right, -1 to the left.
    pub(super) fn side(&self) -> f32 {
        if self.yaw.1 < 0.0 { 1.0 } else { -1.0 }
    }
}

const FURS: [[f32; 3]; 12] = [
    [0.17, 0.16, 0.17],
    [0.24, 0.21, 0.20],
    [0.36, 0.25, 0.17],
    [0.42, 0.41, 0.43],
    [0.50, 0.33, 0.19],
    [0.55, 0.55, 0.58],
    [0.70, 0.43, 0.20],
    [0.76, 0.55, 0.30],
    [0.72, 0.64, 0.52],
    [0.84, 0.72, 0.53],
    [0.90, 0.85, 0.76],
    [0.95, 0.94, 0.92],
];

const EYES: [[f32; 3]; 6] = [
    [0.45, 0.62, 0.25],
    [0.80, 0.68, 0.22],
    [0.80, 0.48, 0.15],
    [0.40, 0.60, 0.80],
    [0.45, 0.28, 0.14],
    [0.62, 0.55, 0.28],
];

#[derive(Debug, Clone, Copy)]
enum Pattern {
    Plain,
    Stripes,
    Patches,
    Blaze,
    Points,
}

/// Colours of an animal and their lighting.
pub(super) struct Coat {
    base: Rgb,
    second: Rgb,
    pattern: Pattern,
    grain: Grain,
    fluff: f32,
    size: f32,
    light: V,
    rim: f32,
    /// Eye colour.
    pub(super) iris: Rgb,
    /// Colour of nose and mouth.
    pub(super) line: Rgb,
    /// Colour of tongue and inner ears.
    pub(super) skin: Rgb,
    /// Colour of the collar, if any.
    pub(super) collar: Option<Rgb>,
}

impl Coat {
    pub(super) fn new(dice: &mut Dice) -> Coat {
        let jitter = dice.range(0.88, 1.08);
        let base = Rgb(dice.pick(&FURS)).scaled(jitter);
        let patterns =
            [Pattern::Plain, Pattern::Stripes, Pattern::Patches, Pattern::Blaze, Pattern::Points];
        let pattern = dice.pick(&patterns);
        let second = match pattern {
            Pattern::Plain => base,
            Pattern::Stripes => base.scaled(dice.range(0.55, 0.75)),
            Pattern::Patches => Rgb(dice.pick(&FURS)),
            Pattern::Blaze => Rgb(FURS[11]).scaled(dice.range(0.85, 1.0)),
            Pattern::Points => base.scaled(dice.range(0.3, 0.5)),
        };
        let dark = base.luma() < 0.3;
        let line = dice.pick(&[[0.10, 0.08, 0.08], [0.16, 0.10, 0.09], [0.30, 0.14, 0.13]]);
        Coat {
            base,
            second,
            pattern,
            grain: Grain::new(dice),
            fluff: dice.range(0.05, 0.3),
            size: dice.range(0.8, 1.3),
            light: dice.direction() * dice.range(0.08, 0.4),
            rim: dice.range(0.15, 0.6),
            iris: Rgb(dice.pick(&EYES)),
            line: if dark { Rgb([0.03, 0.03, 0.03]) } else { Rgb(line) },
            skin: Rgb([0.86, 0.52, 0.52]).scaled(dice.range(0.75, 1.05)),
            collar: if dice.chance(0.3) { Some(dice.colour(0.2, 0.7)) } else { None },
        }
    }

    /// Returns the brightness of the fur, to choose a background with contrast.
    pub(super) fn luma(&self) -> f32 {
        match self.pattern {
            Pattern::Patches => self.base.mixed(self.second, 0.4).luma(),
            _ => self.base.luma(),
        }
    }

    /// Returns the unlit fur colour at a point of the head (head radii).
    fn fur(&self, q: V) -> Rgb {
        let g = self.grain.at((q + V(5.0, 5.0)) * 1.7);
        let share = match self.pattern {
            Pattern::Plain => 0.0,
            Pattern::Stripes => {
                let chevron = q.0.abs() * 1.3 - q.1 * 0.9 + 0.5 * g;
                smoothstep(0.5, 0.75, wave(chevron * 2.1 * self.size))
            }
            Pattern::Patches => {
                smoothstep(0.5, 0.6, self.grain.at((q + V(9.0, 9.0)) * (1.1 * self.size)))
            }
            Pattern::Blaze => {
                let width = 0.1 + 0.55 * self.size * smoothstep(-0.2, 0.8, q.1);
                smoothstep(0.08, -0.08, q.0.abs() - width)
            }
            Pattern::Points => {
                let mask = (q - V(0.0, 0.35)).length();
                smoothstep(0.7, 0.3, mask).max(smoothstep(0.95, 1.25, q.length()))
            }
        };
        let strand = self.grain.at(V(q.0 * 9.0, q.1 * 5.0));
        self.base.mixed(self.second, share).scaled(1.0 + self.fluff * (strand - 0.5))
    }

    /// Returns the lit fur colour at `q` on a round part with surface direction `lean`, `d` pixels
    /// from its border.
    pub(super) fn lit(&self, q: V, lean: V, d: f32) -> Rgb {
        self.shade(self.fur(q), lean, d)
    }

    /// Lights any colour in the same way.
    pub(super) fn shade(&self, colour: Rgb, lean: V, d: f32) -> Rgb {
        let k = lean.length().max(1.0);
        let border = self.rim * (1.0 + d / 1.6).clamp(0.0, 1.0);
        let lit = colour.scaled((1.0 + lean.dot(self.light) / k) * (1.0 - border));
        lit.mixed(Rgb([0.45; 3]), 0.25 * border)
    }

    /// Returns the colour of the face's lines: dark on light fur, lighter on dark fur.
    pub(super) fn stroke(&self) -> Rgb {
        if self.luma() < 0.22 { Rgb([0.55, 0.5, 0.48]) } else { self.line }
    }
}

/// The differences between the bodies.
pub(super) struct Build {
    /// Thickness of legs and tail.
    pub(super) legs: f32,
    /// Points of the tail on one side, in head radii.
    pub(super) tail: [V; 4],
    /// Thickness of the tail at root and tip.
    pub(super) taper: V,
}

/// Paints tail, body, legs and collar of an animal sitting upright below the head.
pub(super) fn body(canvas: &mut Canvas, pose: &Pose, coat: &Coat, build: &Build, side: f32) {
    let ink = |p: V, d: f32| {
        let q = (p - pose.centre) * (1.0 / pose.scale);
        coat.lit(q - V(0.0, 2.2), V(q.0, (q.1 - 2.3) * 0.6), d).scaled(0.93)
    };
    let grow = |r: V| r * pose.scale;
    let tail = build.tail.map(|p| pose.below(p.0 * side, p.1));
    canvas.paint(&Shape::stroke(&tail, grow(build.taper)), ink);
    let ellipse = |x: f32, y: f32, rx: f32, ry: f32| Shape::Ellipse {
        centre: pose.below(x, y),
        radii: grow(V(rx, ry)),
        turn: V(1.0, 0.0),
    };
    let trunk = vec![ellipse(0.0, 2.6, 1.12, 1.25), ellipse(0.0, 1.2, 0.68, 0.9)];
    canvas.paint(&Shape::Union { parts: trunk, melt: 0.35 * pose.scale }, ink);
    for x in [-0.42, 0.42] {
        let (from, to) = (pose.below(x, 2.3), pose.below(x * 1.1, 3.7));
        let leg = Shape::Limb { from, to, radii: grow(V(build.legs, build.legs * 0.9)) };
        canvas.paint(&leg, |p, d| ink(p, d).scaled(1.04));
        canvas.paint(&ellipse(x * 1.15, 3.8, build.legs * 1.35, build.legs * 0.85), ink);
    }
    if let Some(colour) = coat.collar {
        let band = Shape::Limb {
            from: pose.below(-0.55, 1.22),
            to: pose.below(0.55, 1.22),
            radii: grow(V(0.15, 0.15)),
        };
        canvas.paint(&band, |p, d| coat.shade(colour, pose.local(p), d));
    }
    // The head's shadow.
    canvas.glaze(&ellipse(0.0, 0.55, 0.8, 0.75), 0.6 * pose.scale, 0.35, |_, _| Rgb([0.05; 3]));
}

/// Paints an eye with the outline `lid` and a `pupil` inside.
pub(super) fn eye(canvas: &mut Canvas, coat: &Coat, lid: &Shape, pupil: &Shape, shine: V) {
    canvas.glaze(lid, 2.4, 0.75, |_, _| Rgb([0.06, 0.05, 0.05]));
    canvas.paint(lid, |p, _| {
        let black = (0.5 - pupil.distance(p)).clamp(0.0, 1.0);
        coat.iris.mixed(Rgb([0.03, 0.03, 0.04]), black)
    });
    canvas.glaze(&Shape::disc(shine, 0.55), 1.0, 0.9, |_, _| Rgb([1.0; 3]));
}
