//! Enums with a list of all their variants.

/// Defines an enum and its constant `ALL`, which holds every variant in order.
#[macro_export]
macro_rules! listed {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis enum $name {
            $($(#[$variant_meta])* $variant),+
        }

        impl $name {
            /// All variants, in order of declaration.
            $vis const ALL: [Self; [$(stringify!($variant)),+].len()] = [$(Self::$variant),+];
        }
    };
}

#[cfg(test)]
mod tests {
    listed! {
        /// Colour of a traffic light.
        #[derive(Debug, PartialEq)]
        enum Light {
            /// Stop.
            Red,
            /// Go.
            Green,
        }
    }

    #[test]
    fn all_lists_every_variant_in_order() {
        assert_eq!(Light::ALL, [Light::Red, Light::Green]);
    }
}
