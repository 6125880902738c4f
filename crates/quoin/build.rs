//! The migrations are compiled in; a new file must compile them in again.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
