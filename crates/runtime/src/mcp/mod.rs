//! The tools of the MCP servers that a workspace names (docs/workspace.md).
//!
//! A [`Hub`] keeps one connection a server, between turns too; an [`Offer`] is what of it one turn has. A server
//! that is not there, or too slow, costs a turn its tools and nothing else.

mod link;
mod offer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use stationmaster_kernel::Handle;
use tokio::time::Instant;

use crate::workspace::{SERVERS_FILE, Server, Servers, Workspace};
use link::Link;

pub(crate) use offer::{Offer, Offered};

/// A link's own patience is shorter.
const LONGEST_LOOK: Duration = Duration::from_secs(60);

/// The connections to MCP servers. Dropping it ends them.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    links: Mutex<HashMap<String, Arc<Link>>>,
}

impl Hub {
    /// The tools that `role` is offered in a turn that must end by `deadline`. It takes a part of that time
    /// at most.
    pub(crate) async fn offer(
        &self,
        workspace: &Workspace,
        role: &Handle,
        deadline: Instant,
    ) -> Offer {
        let mut offer = Offer::default();
        let servers = match workspace.servers().await {
            Ok(servers) => servers,
            Err(error) => {
                offer.miss(SERVERS_FILE, &error.to_string());
                return offer;
            }
        };
        offer.tell(&servers.faults);
        let until = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 3;
        let links = self.links(servers);
        let asked = links.iter().filter(|link| link.server().is_for(role));
        let asked = asked.map(async |link| (link, link.tools(until).await));
        for (link, tools) in join_all(asked).await {
            match tools {
                Ok(tools) => offer.add(link, role, &tools),
                Err(failure) => offer.miss(&link.server().name, &failure.to_string()),
            }
        }
        offer
    }

    /// How every server that the workspace names fares: the number of its tools, or why it has none.
    pub(crate) async fn look(&self, workspace: &Workspace) -> Vec<(String, Result<usize, String>)> {
        let servers = match workspace.servers().await {
            Ok(servers) => servers,
            Err(error) => return vec![(SERVERS_FILE.to_owned(), Err(error.to_string()))],
        };
        let faults = servers.faults.iter().filter(|fault| fault.is_fatal);
        let faults = faults.map(|fault| {
            let name = fault.server.as_deref().unwrap_or(SERVERS_FILE);
            (name.to_owned(), Err(fault.reason.clone()))
        });
        let mut found: Vec<_> = faults.collect();
        let links = self.links(servers);
        let asked = links.iter().map(async |link| {
            let tools = link.tools(Instant::now() + LONGEST_LOOK).await;
            let tools = tools.map(|tools| tools.len());
            let tools = tools.map_err(|error| error.to_string());
            (link.server().name.clone(), tools)
        });
        found.extend(join_all(asked).await);
        found
    }

    /// One link a server, in the order of the file. Whatever is not in it any more, or is set up anew, is let
    /// go of; turns under way keep theirs.
    fn links(&self, servers: Servers) -> Vec<Arc<Link>> {
        let mut known = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |server: &Server| {
            let link = known.get(&server.name)?;
            (link.server() == server).then(|| Arc::clone(link))
        };
        let links: Vec<Arc<Link>> = servers
            .usable
            .into_iter()
            .map(|server| same(&server).unwrap_or_else(|| Arc::new(Link::new(server))))
            .collect();
        *known = links
            .iter()
            .map(|link| (link.server().name.clone(), Arc::clone(link)))
            .collect();
        links
    }
}
