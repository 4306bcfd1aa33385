//! Detects AMX, the tile registers of some x86 processors.
//!
//! Linux saves tiles only for processes that requested permission:
//! <https://docs.kernel.org/arch/x86/xstate.html>.

use std::{arch::asm, sync::LazyLock};

/// True if this process can multiply tiles of bf16. The first call requests permission.
pub(crate) fn is_usable() -> bool {
    static USABLE: LazyLock<bool> =
        LazyLock::new(|| cfg!(target_os = "linux") && is_present() && is_permitted());
    *USABLE
}

/// True if the processor has AMX with bf16 and the system saves its tiles.
fn is_present() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};

    /// AMX-BF16 and AMX-TILE in EDX of leaf 7.
    const TILES: u32 = 1 << 22 | 1 << 24;
    /// OSXSAVE in ECX of leaf 1: XGETBV exists.
    const XSAVE: u32 = 1 << 27;
    /// XTILECFG and XTILEDATA in XCR0: the system saves tiles.
    const SAVED: u32 = 1 << 17 | 1 << 18;

    if __cpuid(0).eax < 7 || __cpuid(1).ecx & XSAVE == 0 || __cpuid_count(7, 0).edx & TILES != TILES
    {
        return false;
    }
    let saved: u32;
    // SAFETY: OSXSAVE is set, so XGETBV and register 0 exist.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") saved, out("edx") _, options(nomem, nostack, preserves_flags));
    }
    saved & SAVED == SAVED
}

/// Requests permission for the process and all its threads:
/// `arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA)`.
fn is_permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XTILEDATA: u64 = 18;

    let result: i64;
    // SAFETY: this Linux system call takes two numbers and accesses no memory of the process. On
    // other systems nothing calls this function.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}
