//! The build script: what a release leaves out of the binary, because each job downloads it.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo passes what a build script has to know in the environment"
)]

use std::{env, fs, io, path::Path};

/// Linker script that leaves out the tables for unwinding. A panic of a release ends the process, and nothing unwinds.
const NO_UNWINDING: &str = "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.gcc_except_table .gcc_except_table.*) } } INSERT AFTER .text;\n";

/// Build argument with the proxy's image.
const PROXY_IMAGE: &str = "HF_DEPLOY_PROXY_IMAGE";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rerun-if-env-changed={PROXY_IMAGE}");
    println!("cargo::rustc-check-cfg=cfg(proxy_image)");
    if env::var(PROXY_IMAGE).is_ok_and(|image| !image.is_empty()) {
        println!("cargo::rustc-cfg=proxy_image");
    }
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|given| given == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        let script = Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("no-unwinding.ld");
        fs::write(&script, NO_UNWINDING)?;
        // Packed relocations take a hundredth of the space.
        println!(
            "cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs,--no-eh-frame-hdr,-T,{}",
            script.display()
        );
    }
    Ok(())
}
