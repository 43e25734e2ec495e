//! Three nodes with each other on one core, each what the server by itself is, but for its peers.
//!
//! Clients publish at the first and read at the third, a channel that the second owns: every message takes the longest way
//! there is, from gateway to owner to gateway, and waits at the owner for both copies.

use std::fs;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::directory::Directory;
use super::process::{Process, without_settings};
use super::{START, Server, answered, at, node, ports, set};
use crate::error::LinkError;
use crate::load::{Course, Target};
use crate::wire::admin;
use crate::{Error, Transport};

/// The nodes: where clients publish, who owns the channel, where clients read.
const NAMES: [&str; 3] = ["a", "b", "c"];

/// Which of them owns the channel.
const OWNER: usize = 1;

/// Longest wait for them to find each other and to hold three copies of every slot. It takes a few seconds.
const JOINED: Duration = Duration::from_secs(60);

/// Where one node listens.
#[derive(Clone, Copy)]
struct Ports {
    client: u16,
    admin: u16,
    link: u16,
    gossip: u16,
}

/// Where the channel is ordered.
pub(super) struct Home {
    admin: SocketAddr,
    slot: u64,
    /// Name and generation.
    owner: String,
    term: u64,
}

/// Starts them and waits until each is ready and every slot has its copies.
pub(super) async fn start(
    directory: Directory,
    transport: Transport,
    program: &Path,
    core: usize,
) -> Result<Server, Error> {
    make_secrets(program, &directory)?;
    let free: [u16; 4 * NAMES.len()] = ports::free().map_err(Error::system("find free ports"))?;
    let ports: Vec<Ports> = free
        .as_chunks()
        .0
        .iter()
        .map(|[client, admin, link, gossip]| Ports {
            client: *client,
            admin: *admin,
            link: *link,
            gossip: *gossip,
        })
        .collect();
    let mut processes = Vec::new();
    for (name, own) in NAMES.into_iter().zip(&ports) {
        let arguments = member(name, *own, &ports, &directory);
        processes.push(Process::spawn(name, program, &arguments, directory.path(), core)?);
    }
    let mut targets = Vec::new();
    for (process, own) in processes.iter_mut().zip(&ports) {
        targets.push(
            answered(process, START, async || {
                Target::discover(transport, at(own.client)).await
            })
            .await?,
        );
    }
    let admins: Vec<SocketAddr> = ports.iter().map(|own| at(own.admin)).collect();
    for (process, admin) in processes.iter_mut().zip(&admins) {
        answered(process, JOINED, async || admin::ready(*admin).await).await?;
    }
    let table = answered(&mut processes[OWNER], JOINED, async || whole_table(admins[OWNER]).await).await?;
    let Some((channel, home)) = Home::choose(NAMES[OWNER], &table, admins[OWNER]) else {
        return Err(processes[OWNER].failure("it owns no slot".into()));
    };
    let [publisher, _, subscribers] = targets.as_slice() else {
        unreachable!("one for each of three")
    };
    Ok(Server {
        processes,
        _directory: directory,
        course: Course {
            channel,
            publisher: publisher.clone(),
            subscribers: subscribers.clone(),
        },
        nodes: targets,
        admins,
        home: Some(home),
    })
}

impl Home {
    /// A channel that a node of this name owns; none if it owns nothing.
    fn choose(owner: &str, table: &[admin::Slot], admin: SocketAddr) -> Option<(String, Self)> {
        let owns = |slot: &&admin::Slot| {
            let name = slot.owner.as_deref().and_then(|owner| owner.split_once('@'));
            name.is_some_and(|(name, _)| name == owner)
        };
        table.iter().find(owns)?;
        // A hash leaves no slot out, so some name falls into one of the owner's.
        (0..).find_map(|number| {
            let channel = format!("{}-{number}", Course::CHANNEL);
            let wanted = admin::slot_of(&channel, table.len());
            let slot = table.iter().filter(owns).find(|slot| slot.slot == wanted)?;
            let home = Self {
                admin,
                slot: slot.slot,
                owner: slot.owner.clone()?,
                term: slot.term,
            };
            Some((channel, home))
        })
    }

    /// Where the channel went meanwhile, in words; none if it stayed.
    pub(super) async fn moved(&self) -> Option<String> {
        let table = match admin::slots(self.admin).await {
            Ok(table) => table,
            Err(error) => return Some(format!("the channel's owner could not be asked any more: {error}")),
        };
        let now = table.into_iter().find(|slot| slot.slot == self.slot);
        let stayed = |slot: &admin::Slot| slot.owner.as_ref() == Some(&self.owner) && slot.term == self.term;
        (!now.as_ref().is_some_and(stayed)).then(|| {
            let owner = now.and_then(|slot| slot.owner).unwrap_or_else(|| "nobody".into());
            format!("the channel moved from {} to {owner}", self.owner)
        })
    }
}

/// The slot table, once every slot is owned and has all its copies: until then the nodes are busy with them.
async fn whole_table(admin: SocketAddr) -> Result<Vec<admin::Slot>, LinkError> {
    let table = admin::slots(admin).await?;
    let is_short = |slot: &&admin::Slot| slot.owner.is_none() || slot.isr.len() < NAMES.len();
    match table.iter().filter(is_short).count() {
        0 => Ok(table),
        short => Err(LinkError::Protocol(format!(
            "{short} slots have fewer than three copies"
        ))),
    }
}

/// The command line of one of them.
fn member(name: &str, own: Ports, all: &[Ports], directory: &Directory) -> Vec<String> {
    let mut arguments = node(name, own.client, own.admin, &directory.at(&format!("{name}.data")));
    let seeds: Vec<String> = all.iter().map(|one| at(one.gossip).to_string()).collect();
    let file = |key: &str, file: &str| format!("cluster.{key}={}", directory.at(file).display());
    let keys = [
        "cluster.enabled=true".into(),
        "cluster.id=bench".into(),
        format!("cluster.bootstrap={}", NAMES.join(",")),
        format!("cluster.seeds={}", seeds.join(",")),
        format!("cluster.link_listen={}", at(own.link)),
        format!("cluster.gossip_listen={}", at(own.gossip)),
        file("gossip_keys", GOSSIP_KEYS),
        file("authority", "ca.pem"),
        file("certificate", &format!("{name}.pem")),
        file("key", &format!("{name}.key")),
    ];
    arguments.extend(keys.into_iter().flat_map(set));
    arguments
}

/// What the nodes prove themselves with, made as an operator makes it.
fn make_secrets(program: &Path, directory: &Directory) -> Result<(), Error> {
    let place = directory.path().display().to_string();
    let authority = ["cluster", "ca", "init", "--dir", &place].map(String::from);
    run(program, &authority)?;
    for name in NAMES {
        let certificate = ["cluster", "ca", "issue", name, "--dir", &place].map(String::from);
        run(program, &certificate)?;
    }
    let key = || {
        let mut bytes = [0; 32];
        fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let hex = crate::wire::discovery::hex(&bytes);
        fs::write(directory.at(GOSSIP_KEYS), hex)
    };
    key().map_err(Error::system("make a key for gossip"))
}

/// The file of the keys that gossip is sealed with.
const GOSSIP_KEYS: &str = "gossip.keys";

/// Runs a command of the program to its end.
fn run(program: &Path, arguments: &[String]) -> Result<(), Error> {
    let failed = |reason: String| Error::Server {
        name: "cluster",
        reason: format!("{} {}: {reason}", program.display(), arguments.join(" ")),
        log: String::new(),
    };
    let mut command = Command::new(program);
    let ended = without_settings(command.args(arguments)).output();
    let ended = ended.map_err(|error: io::Error| failed(error.to_string()))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    Err(failed(format!("it ended with {}: {}", ended.status, said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(owners: &[&str]) -> Vec<admin::Slot> {
        let slots = (0..).zip(owners);
        slots
            .map(|(slot, owner)| admin::Slot {
                slot,
                owner: Some(format!("{owner}@7")),
                term: 3,
                isr: Vec::new(),
            })
            .collect()
    }

    #[test]
    fn the_channel_is_one_that_the_wanted_node_owns() {
        let table = table(&["a", "c", "bb", "b"]);
        let (channel, home) = Home::choose("b", &table, at(1)).expect("b owns a slot");
        assert_eq!((home.slot, &*home.owner, home.term), (3, "b@7", 3));
        assert_eq!(admin::slot_of(&channel, 4), 3);
        assert!(channel.starts_with("demo:bench-"), "{channel}");
        assert!(Home::choose("d", &table, at(1)).is_none());
    }
}
