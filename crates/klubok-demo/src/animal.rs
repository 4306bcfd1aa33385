//! What cat and dog have in common: pose, coat, light, body and eyes, all drawn by lot alike.
//!
//! The head is a ball of radius 1: x to the viewer's right, y down, z towards the viewer. Features
//! are points on or above that ball, so that a turned head moves them as it should.

use super::{
    canvas::{Canvas, Rgb, Shape, V, smoothstep},
    dice::{Dice, Grain, turn, wave},
};

/// Where the head is and where it looks.
pub(super) struct Pose {
    centre: V,
    /// Pixels of the head's radius.
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

    /// Pixel of a point of the head.
    pub(super) fn at(&self, x: f32, y: f32, z: f32) -> V {
        let side = V(x, z).unturned(self.yaw);
        let up = V(y, side.1).unturned(self.nod);
        self.centre + V(side.0, up.0).turned(self.tilt) * self.scale
    }

    /// Pixel of the point of the ball's face at (x, y).
    pub(super) fn on(&self, x: f32, y: f32) -> V {
        self.at(x, y, (1.0 - x * x - y * y).max(0.0).sqrt())
    }

    /// How wide something at `x` on the ball looks, 1 from the front.
    pub(super) fn width(&self, x: f32) -> f32 {
        let z = (1.0 - x * x).max(0.0).sqrt();
        (V(x, z).unturned(self.yaw).1 / z.max(0.3)).clamp(0.35, 1.1)
    }

    /// An upright ellipse around a pixel, radii in head radii.
    pub(super) fn oval(&self, centre: V, rx: f32, ry: f32) -> Shape {
        Shape::Ellipse { centre, radii: V(rx, ry) * self.scale, turn: self.tilt }
    }

    /// Point of the picture in head radii around the head's middle, tilted with it.
    pub(super) fn local(&self, p: V) -> V {
        (p - self.centre).unturned(self.tilt) * (1.0 / self.scale)
    }

    /// Pixel of a point of the body: below the head, upright.
    fn below(&self, x: f32, y: f32) -> V {
        self.centre + V(x, y) * self.scale
    }

    /// 1 when the head looks to the right, -1 to the left.
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

/// Colours of an animal and the light on it.
pub(super) struct Coat {
    base: Rgb,
    second: Rgb,
    pattern: Pattern,
    grain: Grain,
    fluff: f32,
    size: f32,
    light: V,
    rim: f32,
    /// Of the eyes.
    pub(super) iris: Rgb,
    /// Of nose and mouth.
    pub(super) line: Rgb,
    /// Of tongue and inner ears.
    pub(super) skin: Rgb,
    /// Of a collar.
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

    /// Brightness of the fur, for a background that differs.
    pub(super) fn luma(&self) -> f32 {
        match self.pattern {
            Pattern::Patches => self.base.mixed(self.second, 0.4).luma(),
            _ => self.base.luma(),
        }
    }

    /// The fur at a point of the head (head radii), not lit.
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

    /// The fur at `q`, on a round part whose surface leans to `lean`, `d` pixels from its border.
    pub(super) fn lit(&self, q: V, lean: V, d: f32) -> Rgb {
        self.shade(self.fur(q), lean, d)
    }

    /// Any colour in the same light.
    pub(super) fn shade(&self, colour: Rgb, lean: V, d: f32) -> Rgb {
        let k = lean.length().max(1.0);
        let border = self.rim * (1.0 + d / 1.6).clamp(0.0, 1.0);
        let lit = colour.scaled((1.0 + lean.dot(self.light) / k) * (1.0 - border));
        lit.mixed(Rgb([0.45; 3]), 0.25 * border)
    }

    /// Lines of the face: dark on light fur, lighter on dark fur.
    pub(super) fn stroke(&self) -> Rgb {
        if self.luma() < 0.22 { Rgb([0.55, 0.5, 0.48]) } else { self.line }
    }
}

/// What differs between the bodies.
pub(super) struct Build {
    /// Thickness of legs and tail.
    pub(super) legs: f32,
    /// The tail: points on the looked-at side, in head radii.
    pub(super) tail: [V; 4],
    /// Thickness of the tail at its root and tip.
    pub(super) taper: V,
}

/// Paints tail, body, legs and collar, sitting upright below the head.
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

/// Paints an eye: `lid` is its outline, `pupil` lies inside.
pub(super) fn eye(canvas: &mut Canvas, coat: &Coat, lid: &Shape, pupil: &Shape, shine: V) {
    canvas.glaze(lid, 2.4, 0.75, |_, _| Rgb([0.06, 0.05, 0.05]));
    canvas.paint(lid, |p, _| {
        let black = (0.5 - pupil.distance(p)).clamp(0.0, 1.0);
        coat.iris.mixed(Rgb([0.03, 0.03, 0.04]), black)
    });
    canvas.glaze(&Shape::disc(shine, 0.55), 1.0, 0.9, |_, _| Rgb([1.0; 3]));
}
