pub mod inbox;
pub mod peers;
