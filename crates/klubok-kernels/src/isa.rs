//! Instruction sets, and the macro that compiles a kernel for each of them.
//!
//! A kernel is a plain loop in Rust. Element-wise kernels never fuse multiplication and addition,
//! and sums run in fixed lanes, so every instruction set gives the same bits. Only matrix products
//! differ between instruction sets.

#[cfg(target_arch = "x86_64")]
use crate::amx;

/// An instruction set of this machine. All constructors check that the machine has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa {
    set: Set,
    bf16_path: Bf16Path,
}

/// Instructions for all kernels except products of bf16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

/// Instructions for products of pairs of bf16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bf16Path {
    /// AMX: tiles of 16 x 16 sums.
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// AVX-512 BF16: multiplies and adds pairs.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// The instructions of f32, for one half of a pair after the other.
    Unpacked,
}

impl Isa {
    /// Instruction sets of this machine, fastest first, each with its fastest path for bf16. The
    /// last one is portable code.
    pub fn available() -> Vec<Self> {
        let mut found = Self::available_bf16();
        found.dedup_by_key(|isa| isa.set);
        found
    }

    /// As [`Isa::available`], with every path for bf16.
    pub fn available_bf16() -> Vec<Self> {
        let mut found = vec![];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            let bf16 = avx512 && is_x86_feature_detected!("avx512bf16");
            let mut add = |supported: bool, set, bf16_path| {
                found.extend(supported.then_some(Self { set, bf16_path }));
            };
            add(bf16 && amx::is_usable(), Set::Avx512, Bf16Path::Amx);
            add(bf16, Set::Avx512, Bf16Path::Avx512);
            add(avx512, Set::Avx512, Bf16Path::Unpacked);
            add(avx2, Set::Avx2, Bf16Path::Unpacked);
        }
        found.push(Self { set: Set::Portable, bf16_path: Bf16Path::Unpacked });
        found
    }

    /// The fastest instruction set of this machine.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// Name of the path for f32: `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self.set {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            Set::Portable => "portable",
        }
    }

    /// Name of the path for products of bf16: `amx`, `avx512bf16`, or that of f32.
    pub fn name_bf16(self) -> &'static str {
        match self.bf16_path {
            #[cfg(target_arch = "x86_64")]
            Bf16Path::Amx => "amx",
            #[cfg(target_arch = "x86_64")]
            Bf16Path::Avx512 => "avx512bf16",
            Bf16Path::Unpacked => self.name(),
        }
    }

    pub(crate) fn set(self) -> Set {
        self.set
    }

    pub(crate) fn bf16_path(self) -> Bf16Path {
        self.bf16_path
    }
}

/// Defines a kernel: compiles its body for each instruction set and adds an argument `isa` that
/// selects the version.
macro_rules! kernel {
    (
        $(#[$meta:meta])*
        pub fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block
    ) => {
        $(#[$meta])*
        pub fn $name(isa: $crate::isa::Isa, $($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn body($($arg: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512($($arg: $type),*) $(-> $result)? {
                body($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) $(-> $result)? {
                body($($arg),*)
            }

            match isa.set() {
                // SAFETY: an `Isa` exists only on machines with these instructions.
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Set::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Set::Avx2 => unsafe { avx2($($arg),*) },
                $crate::isa::Set::Portable => body($($arg),*),
            }
        }
    };
}
pub(crate) use kernel;
