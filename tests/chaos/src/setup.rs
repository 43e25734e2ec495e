//! What the nodes are started with: authority, certificates, keys and configuration, made as an operator makes them.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::error::Error;
use crate::namespace::{output, run};

/// Names of the nodes, in the order of their addresses.
const NAMES: [&str; 3] = ["a", "b", "c"];

/// The namespace that all channels of a run are in.
pub(crate) const NAMESPACE: &str = "chaos";

/// How often the ends of an idle session say that they live. Short of the default: a client that only reads learns of a
/// dead node by silence of one and a half times this where no packet tells it, and the goal for its return is 5 s.
const HEARTBEAT: &str = "2s";

/// Where a node listens, on its own address.
pub(crate) const CLIENT_PORT: u16 = 4433;
pub(crate) const ADMIN_PORT: u16 = 4434;
const LINK_PORT: u16 = 4435;
const GOSSIP_PORT: u16 = 4436;

/// Where the clients are.
pub(crate) const CLIENTS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);

/// Where nodes keep messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In memory, and in that of the other nodes if there are any.
    InMemory,
    /// On the node's disk.
    OnDisk,
}

/// Everything that was made.
pub(crate) struct Setup {
    pub(crate) nodes: Vec<NodeSetup>,
    /// What clients present.
    pub(crate) token: String,
    /// Whom clients trust.
    pub(crate) authority: CertificateDer<'static>,
    /// What tokens are signed with.
    pub(crate) secret: Vec<u8>,
    /// Where the logs are.
    pub(crate) directory: PathBuf,
}

/// What one node is started with.
#[derive(Clone)]
pub(crate) struct NodeSetup {
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) config: PathBuf,
    pub(crate) log: PathBuf,
}

impl NodeSetup {
    /// What clients type.
    pub(crate) fn url(&self) -> String {
        format!("https://{}:{CLIENT_PORT}", self.address)
    }
}

impl Setup {
    /// Makes a directory anew for three nodes of a cluster, or for one node that stands alone.
    ///
    /// With a database, it is where they keep what they share.
    pub(crate) fn make(
        binary: &Path,
        directory: &Path,
        is_cluster: bool,
        kept: Kept,
        database: Option<&str>,
    ) -> Result<Self, Error> {
        if directory.exists() {
            fs::remove_dir_all(directory).map_err(Error::file("clear", directory))?;
        }
        fs::create_dir_all(directory).map_err(Error::file("make", directory))?;
        // Processes in other namespaces are started from here, and read the files by these names.
        let directory = fs::canonicalize(directory).map_err(Error::file("find", directory))?;
        let at = |name: &str| directory.join(name);
        let starling = |arguments: &[&str]| output(&text(binary), arguments);

        let authority = text(&at("ca"));
        starling(&["cluster", "ca", "init", "--dir", &authority])?;
        let names = if is_cluster { &NAMES[..] } else { &NAMES[..1] };
        let mut nodes = Vec::new();
        for (name, last) in names.iter().zip(1..) {
            let address = Ipv4Addr::new(10, 77, 0, last);
            // It serves clients with the same certificate: they trust the authority, too.
            let san = address.to_string();
            starling(&["cluster", "ca", "issue", name, "--dir", &authority, "--san", &san])?;
            nodes.push(NodeSetup {
                name: (*name).to_owned(),
                address,
                config: at(&format!("{name}.toml")),
                log: at(&format!("{name}.log")),
            });
        }
        for secret in ["gossip.keys", "token.key"] {
            fs::write(at(secret), random_hex()?).map_err(Error::file("write", at(secret)))?;
        }
        for node in &nodes {
            let mut config = config(node, &nodes, &directory, kept);
            if let Some(url) = database {
                write!(config, "\n[storage]\nurl = \"{url}\"\n\n[documents]\nenabled = true\n").expect("text grows");
            }
            fs::write(&node.config, config).map_err(Error::file("write", &node.config))?;
            run(&text(binary), &["config", "check", "--config", &text(&node.config)])?;
        }
        let allow = format!("all:{NAMESPACE}:*");
        let key = text(&at("token.key"));
        let mint = ["token", "mint", "--subject", "chaos", "--allow", &allow];
        let token = starling(&[&mint[..], &["--expires", "12h", "--key-file", &key]].concat())?;
        let secret = fs::read(at("token.key")).map_err(Error::file("read", at("token.key")))?;
        let pem = at("ca/ca.pem");
        let certificate = fs::read(&pem).map_err(Error::file("read", &pem))?;
        let authority = CertificateDer::from_pem_slice(&certificate).map_err(|error| Error::Failed {
            command: "starling cluster ca init".into(),
            said: format!("its certificate cannot be read: {error}"),
        })?;
        Ok(Self {
            nodes,
            token: token.trim().to_owned(),
            authority,
            secret,
            directory,
        })
    }
}

/// What an operator would write.
fn config(node: &NodeSetup, all: &[NodeSetup], directory: &Path, kept: Kept) -> String {
    let NodeSetup { name, address, .. } = node;
    let directory = text(directory);
    let durability = match kept {
        Kept::InMemory => "replicated",
        Kept::OnDisk => "persisted",
    };
    let mut config = format!(
        "[node]\nname = \"{name}\"\ndata_dir = \"{directory}/{name}.data\"\n\n\
         [client]\nlisten = [\"{address}:{CLIENT_PORT}\"]\n\n\
         [client.tls]\ncertificate = \"{directory}/ca/{name}.pem\"\nkey = \"{directory}/ca/{name}.key\"\n\n\
         [admin]\nlisten = \"{address}:{ADMIN_PORT}\"\n\n\
         [session]\nheartbeat = \"{HEARTBEAT}\"\n\n\
         [limits]\nhttp_request_rate = 0\nconnections_per_address_max = 20000\n\n\
         [log]\nfilter = \"info,openraft=off,starling_core=debug,starling_mesh=debug,starling_cluster=debug\"\n\n\
         [[auth.keys]]\nid = \"chaos\"\nalgorithm = \"HS256\"\nsecret_file = \"{directory}/token.key\"\n\n\
         [[namespaces]]\nmatch = \"{NAMESPACE}\"\ndurability = \"{durability}\"\npublish_rate = 0\npublish_bytes = \"0B\"\n\
         history = {{ messages = 1000000, bytes = \"256MiB\", age = \"1h\" }}\n"
    );
    if all.len() > 1 {
        let quoted = |texts: Vec<String>| {
            let quoted: Vec<_> = texts.iter().map(|text| format!("\"{text}\"")).collect();
            quoted.join(", ")
        };
        let bootstrap = quoted(all.iter().map(|node| node.name.clone()).collect());
        let seeds = quoted(
            all.iter()
                .map(|node| format!("{}:{GOSSIP_PORT}", node.address))
                .collect(),
        );
        write!(
            config,
            "\n[cluster]\nenabled = true\nid = \"chaos\"\nbootstrap = [{bootstrap}]\nseeds = [{seeds}]\n\
             gossip_listen = \"{address}:{GOSSIP_PORT}\"\nlink_listen = \"{address}:{LINK_PORT}\"\n\
             gossip_keys = \"{directory}/gossip.keys\"\nauthority = \"{directory}/ca/ca.pem\"\n\
             certificate = \"{directory}/ca/{name}.pem\"\nkey = \"{directory}/ca/{name}.key\"\n"
        )
        .expect("text grows");
    }
    config
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Thirty-two bytes that nobody can guess, as a line of hexadecimal digits without its end.
fn random_hex() -> Result<String, Error> {
    let mut bytes = [0; 32];
    let random = "/dev/urandom";
    fs::File::open(random)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(Error::file("read", random))?;
    Ok(bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("text grows");
        hex
    }))
}
