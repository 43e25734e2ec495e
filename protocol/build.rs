//! Compiles the schema with a compiler written in Rust: building needs no `protoc` and no network.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=proto");
    let schema = protox::compile(["starling/v1/frame.proto"], ["proto"])?;
    prost_build::Config::new()
        // Payloads are slices of the frame they came in, not copies.
        .bytes(["."])
        .compile_fds(schema)?;
    Ok(())
}
