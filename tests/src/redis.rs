//! Hands in Redis: what a broken writer, or an attacker, could put there. Speaks the protocol itself, because no crate but one
//! may know a client library.

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// A connection to a Redis of the test.
pub struct Hands(BufReader<TcpStream>);

impl Hands {
    /// Connects to `redis://host:port`.
    pub async fn on(url: &str) -> Result<Self> {
        let address = url.strip_prefix("redis://").context("a plain URL")?;
        let stream = TcpStream::connect(address.trim_end_matches('/')).await.context("Redis is there")?;
        Ok(Self(BufReader::new(stream)))
    }

    /// What lies under a key.
    pub async fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>> {
        self.call(&[b"GET", key.as_bytes()]).await
    }

    /// Puts anything under a key, for so many milliseconds.
    pub async fn put(&mut self, key: &str, bytes: &[u8], life_ms: u64) -> Result<()> {
        let life = life_ms.to_string();
        self.call(&[b"SET", key.as_bytes(), bytes, b"PX", life.as_bytes()]).await.map(drop)
    }

    /// Takes the end of a key's life away; says whether it had one.
    pub async fn persist(&mut self, key: &str) -> Result<bool> {
        Ok(self.call(&[b"PERSIST", key.as_bytes()]).await?.as_deref() == Some(b"1"))
    }

    /// Whether Redis takes writes from now on; it serves reads all the same. So does one that has lost its replicas.
    pub async fn take_writes(&mut self, yes: bool) -> Result<()> {
        let replicas: &[u8] = if yes { b"0" } else { b"1" };
        self.call(&[b"CONFIG", b"SET", b"min-replicas-to-write", replicas]).await.map(drop)
    }

    /// One command and its answer (RESP2): a text, a number as text, bytes, or nothing.
    async fn call(&mut self, words: &[&[u8]]) -> Result<Option<Vec<u8>>> {
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            command.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            command.extend_from_slice(word);
            command.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&command).await?;
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        let line = line.trim_end();
        match line.split_at_checked(1) {
            Some(("+" | ":", text)) => Ok(Some(text.as_bytes().to_vec())),
            Some(("$", "-1")) => Ok(None),
            Some(("$", length)) => {
                let mut bytes = vec![0; length.parse::<usize>()? + 2];
                self.0.read_exact(&mut bytes).await?;
                bytes.truncate(bytes.len() - 2);
                Ok(Some(bytes))
            }
            _ => bail!("Redis answered {line}"),
        }
    }
}
