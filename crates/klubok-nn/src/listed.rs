//! Enums that know all their variants.

/// Defines an enum with `ALL`, its variants in order: none can be left out.
#[macro_export]
macro_rules! listed {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$of:meta])* $variant:ident),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis enum $name {
            $($(#[$of])* $variant),+
        }

        impl $name {
            /// All of them, in their order.
            $vis const ALL: [Self; [$(stringify!($variant)),+].len()] = [$(Self::$variant),+];
        }
    };
}

#[cfg(test)]
mod tests {
    listed! {
        /// What a lamp shows.
        #[derive(Debug, PartialEq)]
        enum Lamp {
            /// Stop.
            Red,
            /// Go.
            Green,
        }
    }

    #[test]
    fn all_variants_are_listed_in_order() {
        assert_eq!(Lamp::ALL, [Lamp::Red, Lamp::Green]);
    }
}
