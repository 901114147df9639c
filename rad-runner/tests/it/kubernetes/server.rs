//! The made-up API server's HTTP: as much of it as the runner, the keeper's `curl` and their faults need.

use std::collections::HashMap;
use std::io;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::cluster::{Cluster, KINDS, Kind, merge, now};
use super::kubelet;

/// Serves a cluster on a loopback port, and gives its address.
pub(crate) async fn serve(cluster: Cluster) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let cluster = cluster.clone();
            // A client that went away is its own affair.
            tokio::spawn(async move { drop(answer(cluster, stream).await) });
        }
    });
    address
}

struct Request {
    method: String,
    kind: Kind,
    name: Option<String>,
    log: bool,
    query: HashMap<String, String>,
    content_type: String,
    body: Vec<u8>,
}

async fn answer(cluster: Cluster, stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    stream.read_line(&mut first).await?;
    let (mut length, mut content_type) = (0, String::new());
    loop {
        let mut header = String::new();
        if stream.read_line(&mut header).await? <= 2 {
            break;
        }
        let (name, value) = header.trim_end().split_once(':').unwrap_or_default();
        match &*name.to_ascii_lowercase() {
            "content-length" => length = value.trim().parse().unwrap_or_default(),
            "content-type" => content_type = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let mut stream = stream.into_inner();
    if let Some(status) = cluster.note(first.trim_end()) {
        return reply(&mut stream, status, &problem(status, "InternalError")).await;
    }
    let Some(request) = read(&first, content_type, body) else {
        return reply(&mut stream, 404, &problem(404, "NotFound")).await;
    };
    if request.log {
        return log(&cluster, &request, &mut stream).await;
    }
    if request.query.get("watch").is_some_and(|watch| watch == "true") {
        return watch(&cluster, &request, &mut stream).await;
    }
    let (status, body) = act(&cluster, &request);
    reply(&mut stream, status, &body).await
}

fn read(first: &str, content_type: String, body: Vec<u8>) -> Option<Request> {
    let mut words = first.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (_, below) = path.split_once("/namespaces/runs/")?;
    let mut parts = below.split('/');
    let kind = parts.next()?;
    let kind = KINDS.into_iter().find(|known| *known == kind)?;
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = query.map(|(name, value)| (name.to_owned(), decoded(value)));
    Some(Request {
        method: method.to_owned(),
        kind,
        name: parts.next().map(str::to_owned),
        log: parts.next() == Some("log"),
        query: query.collect(),
        content_type,
        body,
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(plain).unwrap()
}

fn act(cluster: &Cluster, request: &Request) -> (u16, Value) {
    let kind = request.kind;
    let name = request.name.as_deref().unwrap_or_default();
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let existing = cluster.get(kind, name);
    match (&*request.method, existing) {
        ("GET", _) if name.is_empty() => {
            let selector = request.query.get("labelSelector").cloned().unwrap_or_default();
            let version = cluster.version().to_string();
            let items = cluster.list(kind, &selector);
            (
                200,
                json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": version }, "items": items }),
            )
        }
        ("GET", Some(object)) => (200, object),
        ("POST", _) => match body["metadata"]["name"].as_str() {
            Some(name) if cluster.get(kind, name).is_some() => (409, problem(409, "AlreadyExists")),
            _ => (201, cluster.put(kind, body)),
        },
        ("PATCH", existing) if request.content_type.starts_with("application/apply-patch") => {
            if too_large(&body) {
                return (422, problem(422, "Invalid"));
            }
            let mut object = existing.unwrap_or_else(|| json!({}));
            merge(&mut object, &body);
            (200, cluster.put(kind, object))
        }
        ("PATCH", Some(mut object)) => {
            let suspended = object["spec"]["suspend"] == true;
            merge(&mut object, &body);
            let object = cluster.put(kind, object);
            if kind == "jobs" && suspended && object["spec"]["suspend"] == false {
                kubelet::begin(cluster, &object);
            }
            (200, object)
        }
        ("DELETE", Some(mut object)) => {
            if kind == "secrets" || kind == "jobs" && body["propagationPolicy"] != "Foreground" {
                cluster.remove(kind, name);
            } else if object["metadata"]["deletionTimestamp"].is_null() {
                // Who carries it out removes it, when its pod has ended.
                object["metadata"]["deletionTimestamp"] = now().into();
                cluster.put(kind, object.clone());
                if kind == "jobs" && cluster.list("pods", &format!("job={name}")).is_empty() {
                    cluster.remove(kind, name);
                }
            }
            (200, object)
        }
        _ => (404, problem(404, "NotFound")),
    }
}

/// Whether a Secret has more in it than an API server takes.
fn too_large(secret: &Value) -> bool {
    let values = secret["data"].as_object().into_iter().flat_map(|data| data.values());
    values.map(|value| value.as_str().unwrap_or_default().len() / 4 * 3).sum::<usize>() > 1024 * 1024
}

fn problem(status: u16, reason: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("made up: {reason}"), "reason": reason, "code": status,
    })
}

async fn reply(stream: &mut TcpStream, status: u16, body: &Value) -> io::Result<()> {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} It\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";

async fn chunk(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await
}

async fn watch(cluster: &Cluster, request: &Request, stream: &mut TcpStream) -> io::Result<()> {
    let mut changed = cluster.changed();
    let selector = request.query.get("labelSelector").cloned().unwrap_or_default();
    let mut after = request.query.get("resourceVersion").and_then(|v| v.parse().ok()).unwrap_or_default();
    stream.write_all(STREAM).await?;
    loop {
        changed.mark_unchanged();
        let Some(events) = cluster.events(request.kind, &selector, after) else {
            let gone = json!({ "type": "ERROR", "object": problem(410, "Expired") });
            return chunk(stream, &format!("{gone}\n")).await;
        };
        for (version, event) in events {
            chunk(stream, &format!("{event}\n")).await?;
            after = version;
            if cluster.faults(|faults| faults.cut_watches) {
                // No last chunk: the connection breaks.
                return Ok(());
            }
        }
        if changed.changed().await.is_err() {
            return Ok(());
        }
    }
}

async fn log(cluster: &Cluster, request: &Request, stream: &mut TcpStream) -> io::Result<()> {
    let pod = request.name.as_deref().unwrap_or_default();
    let Some(object) = cluster.get("pods", pod) else {
        return reply(stream, 404, &problem(404, "NotFound")).await;
    };
    if object["status"]["containerStatuses"][0]["state"]["waiting"].is_object() {
        return reply(stream, 400, &problem(400, "BadRequest")).await;
    }
    let asked = |name: &str| request.query.get(name).map(String::as_str);
    let follow = asked("follow") == Some("true");
    let since = asked("sinceTime").and_then(|time| time.parse::<DateTime<Utc>>().ok());
    let mut cut = cluster.faults(|faults| faults.cut_logs_after).filter(|_| follow);
    let mut room = asked("limitBytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(usize::MAX);
    let mut changed = cluster.changed();
    stream.write_all(STREAM).await?;
    let mut sent = 0;
    loop {
        changed.mark_unchanged();
        let ended = has_ended(cluster, pod);
        let lines = cluster.lines(pod);
        for (time, line) in
            lines.iter().skip(sent).filter(|(time, _)| since.is_none_or(|since| *time >= since))
        {
            let stamp = time.to_rfc3339_opts(SecondsFormat::Nanos, true);
            let mut text = if asked("timestamps") == Some("true") {
                format!("{stamp} {line}\n")
            } else {
                format!("{line}\n")
            };
            text.truncate(room);
            room -= text.len();
            if !text.is_empty() {
                chunk(stream, &text).await?;
            }
            if let Some(left) = &mut cut {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    // Later the next time: a log is given from a whole second on, with what was given of that before.
                    cluster.faults(|faults| {
                        faults.cut_logs_after = faults.cut_logs_after.map(|lines| lines + 7)
                    });
                    // In the middle of a line, and without the last chunk.
                    return chunk(stream, "2026-01-01T00:00:00Z half a li").await;
                }
            }
        }
        sent = lines.len();
        if !follow || ended {
            return stream.write_all(b"0\r\n\r\n").await;
        }
        if changed.changed().await.is_err() {
            return Ok(());
        }
    }
}

fn has_ended(cluster: &Cluster, pod: &str) -> bool {
    cluster
        .get("pods", pod)
        .is_none_or(|pod| pod["status"]["containerStatuses"][0]["state"]["terminated"].is_object())
}
