//! Socket addresses in the configuration: an IP address and a port, never a host name, so that what is bound is
//! what is written.

/// One address: `#[serde(with = "address::one")]`.
pub(super) mod one {
    use std::net::SocketAddr;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::config) fn serialize<S: Serializer>(address: &SocketAddr, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(address)
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|_| {
            de::Error::custom(format!(
                "\"{text}\" is not an IP address and a port; write one such as \"127.0.0.1:4433\" or \"[::]:4433\" (host names are not looked up)"
            ))
        })
    }
}

/// A list of them: `#[serde(with = "address::list")]`.
pub(super) mod list {
    use std::net::SocketAddr;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct One(#[serde(with = "super::one")] SocketAddr);

    pub(in crate::config) fn serialize<S: Serializer>(addresses: &[SocketAddr], out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(addresses.iter().copied().map(One))
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
        let addresses = Vec::<One>::deserialize(from)?;
        Ok(addresses.into_iter().map(|One(address)| address).collect())
    }
}
