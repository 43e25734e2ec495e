//! The HTTP API as its document describes it: every answer is held to what `/openapi.json` promises.

use std::net::SocketAddr;

use serde_json::Value;

use super::http::{Answer, Request};
use super::node::Node;
use super::schema::check;

/// A node's API, with its document.
pub(crate) struct Api {
    address: SocketAddr,
    document: Value,
}

impl Api {
    /// Reads the document of a node.
    pub(crate) async fn of(node: &Node) -> Self {
        let answer = Request::get("/openapi.json").send(node.address()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Self {
            address: node.address(),
            document: answer.json(),
        }
    }

    /// Asks for something.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("get", path, Request::get(path)).await
    }

    /// Sends a body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("post", path, Request::post(path, body.to_string())).await
    }

    /// Sends bytes.
    pub(crate) async fn post_bytes(&self, path: &str, bytes: impl Into<Vec<u8>>) -> Answer {
        let request = Request::new("POST", path).header("content-type", "application/octet-stream");
        self.send("post", path, request.body(bytes)).await
    }

    /// The same, with a key that names the request.
    pub(crate) async fn post_once(&self, key: &str, path: &str, body: &Value) -> Answer {
        let request = Request::post(path, body.to_string()).header("idempotency-key", key);
        self.send("post", path, request).await
    }

    /// Publishes text, and gives the seq it got.
    pub(crate) async fn publish(&self, channel: &str, text: &str) -> u64 {
        let path = format!("/v1/channels/{channel}/messages");
        let answer = self.post(&path, &serde_json::json!({ "data": text })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["seq"].as_u64().expect("a seq")
    }

    /// Sends a request and checks that its answer is documented.
    pub(crate) async fn send(&self, method: &str, path: &str, request: Request) -> Answer {
        let answer = request.send(self.address).await;
        self.check(method, path, &answer);
        answer
    }

    fn check(&self, method: &str, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap_or(path);
        let paths = self.document["paths"].as_object().expect("paths");
        let (_, item) = paths
            .iter()
            .find(|(template, _)| matches(template, path))
            .unwrap_or_else(|| panic!("{path} is not in the document"));
        let described = &item[method]["responses"][answer.status.to_string()];
        assert!(
            !described.is_null(),
            "{method} {path}: {answer:?} is not in the document"
        );
        let described = self.resolve(described);
        let kind = answer.header("content-type").and_then(|kind| kind.split(';').next());
        let kind = kind.unwrap_or_else(|| panic!("{method} {path}: {answer:?} does not say what it is"));
        let content = &described["content"][kind];
        assert!(!content.is_null(), "{method} {path}: {kind} is not in the document");
        if kind == "application/json"
            && let Err(what) = check(&content["schema"], &answer.json(), &self.document)
        {
            panic!("{method} {path}: {what}: {answer:?}");
        }
        let headers = described["headers"].as_object().into_iter().flatten();
        for (name, _) in headers {
            let name = name.to_lowercase();
            assert!(answer.header(&name).is_some(), "{method} {path}: no {name}: {answer:?}");
        }
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            Some(pointer) => self.document.pointer(pointer).expect("references lead somewhere"),
            None => value,
        }
    }
}

/// Whether a path is one of a template's.
fn matches(template: &str, path: &str) -> bool {
    let (mut templates, mut segments) = (template.split('/'), path.split('/'));
    loop {
        match (templates.next(), segments.next()) {
            (None, None) => return true,
            (Some(template), Some(_)) if template.starts_with('{') => {}
            (Some(template), Some(segment)) if template == segment => {}
            _ => return false,
        }
    }
}
