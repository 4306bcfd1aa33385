//! Instruction sets: which one runs, and the macro that compiles a kernel for each.
//!
//! A kernel is written once as a plain loop. Element-wise kernels never fuse multiplication and
//! addition, and sums run in fixed lanes, so every instruction set gives the same bits; only
//! products of matrices differ between them.

#[cfg(target_arch = "x86_64")]
use crate::amx;

/// Vector instructions that this machine has: the only way to get some is to ask the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa {
    set: Set,
    terms: Bf16Path,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

/// How products of pairs of bf16 are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bf16Path {
    /// By tiles of 16 x 16 sums.
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// By an instruction that multiplies and adds pairs.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// By those of f32, one half of a pair after the other.
    Apart,
}

impl Isa {
    /// What this machine has, the best first; the last is plain code that runs anywhere. Each has
    /// its best instructions for bf16.
    pub fn available() -> Vec<Self> {
        let mut found = Self::available_bf16();
        found.dedup_by_key(|isa| isa.set);
        found
    }

    /// The same, with every way to multiply pairs of bf16.
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
            let mut add = |has: bool, set, terms| found.extend(has.then_some(Self { set, terms }));
            add(bf16 && amx::is_usable(), Set::Avx512, Bf16Path::Amx);
            add(bf16, Set::Avx512, Bf16Path::Avx512);
            add(avx512, Set::Avx512, Bf16Path::Apart);
            add(avx2, Set::Avx2, Bf16Path::Apart);
        }
        found.push(Self { set: Set::Portable, terms: Bf16Path::Apart });
        found
    }

    /// The best that this machine has.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// What f32 is computed with: `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self.set {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            Set::Portable => "portable",
        }
    }

    /// What products of bf16 are computed with: `amx`, `avx512bf16`, or as in f32.
    pub fn name_bf16(self) -> &'static str {
        match self.terms {
            #[cfg(target_arch = "x86_64")]
            Bf16Path::Amx => "amx",
            #[cfg(target_arch = "x86_64")]
            Bf16Path::Avx512 => "avx512bf16",
            Bf16Path::Apart => self.name(),
        }
    }

    pub(crate) fn set(self) -> Set {
        self.set
    }

    pub(crate) fn terms(self) -> Bf16Path {
        self.terms
    }
}

/// Defines a kernel: its body is compiled once for each instruction set, and `isa` says which
/// version runs.
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
                // SAFETY: an `Isa` exists only where the machine has these instructions.
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
