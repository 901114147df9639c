//! The whole loop in a real browser: headless Chromium, driven over WebDriver. Pictures are left in
//! `target/screenshots`.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::portal::{Demo, MODULES};

const NEEDED: &str = "the browser test needs Chromium and its driver: install the packages chromium and \
                      chromium-driver (Debian), or put chromium and chromedriver on the PATH";

/// How long a page may take to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser window at a portal.
pub(crate) struct Window {
    pub(crate) client: Client,
    base: String,
    taken: u32,
    /// What its pictures are of.
    about: &'static str,
    // Ends the driver, and takes its profile away.
    _driver: Child,
    _profile: TempDir,
}

impl Window {
    pub(crate) async fn open(demo: &Demo) -> Self {
        Self::open_as(demo, "").await
    }

    /// A window whose pictures begin with what they are about.
    pub(crate) async fn open_as(demo: &Demo, about: &'static str) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect(NEEDED);
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let mut port = None;
        while port.is_none() {
            let line = lines.next_line().await.unwrap().expect("chromedriver says its port");
            port = line
                .split_once("successfully on port ")
                .map(|(_, port)| port.trim_end_matches('.').to_owned());
        }
        let profile = tempfile::tempdir().unwrap();
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1360,1000",
        ];
        let profile_flag = format!("--user-data-dir={}", profile.path().display());
        let flags: Vec<&str> = flags.into_iter().chain([profile_flag.as_str()]).collect();
        let mut wanted = serde_json::Map::new();
        wanted.insert("goog:chromeOptions".to_owned(), json!({ "args": flags }));
        let address = format!("http://127.0.0.1:{}", port.unwrap());
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(wanted).connect(&address).await;
        let client = client.unwrap_or_else(|error| panic!("{NEEDED}: {error}"));
        Self {
            client,
            base: demo.portal.url().to_owned(),
            taken: 0,
            about,
            _driver: driver,
            _profile: profile,
        }
    }

    pub(crate) async fn go(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.unwrap();
    }

    pub(crate) async fn see(&self, css: &str) -> String {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        match found {
            Ok(element) => element.text().await.unwrap_or_default(),
            Err(error) => panic!("no {css}: {error}\n{}", self.client.source().await.unwrap()),
        }
    }

    pub(crate) async fn click(&self, css: &str) {
        self.see(css).await;
        // What is shown live may be replaced between looking and clicking, as under a person's hand.
        for _ in 0..10 {
            let element = self.client.find(Locator::Css(css)).await.unwrap();
            match element.click().await {
                Err(error) if error.is_stale_element_reference() => {}
                clicked => return clicked.unwrap_or_else(|error| panic!("{css} cannot be clicked: {error}")),
            }
        }
        panic!("{css} is replaced again and again");
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        self.see(css).await;
        let element = self.client.find(Locator::Css(css)).await.unwrap();
        element.clear().await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    /// Waits until an element says something.
    pub(crate) async fn until(&self, css: &str, text: &str) {
        let waited = tokio::time::timeout(PATIENCE, async {
            // The page may be on its way to the next while it is looked at.
            loop {
                let element = self.client.find(Locator::Css(css)).await;
                let says = match element {
                    Ok(element) => element.text().await.unwrap_or_default(),
                    Err(_) => String::new(),
                };
                if says.contains(text) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        if waited.await.is_err() {
            panic!("{css} never says {text:?}\n{}", self.client.source().await.unwrap());
        }
    }

    pub(crate) async fn picture(&mut self, name: &str) {
        self.taken += 1;
        let height = "return Math.min(Math.max(document.documentElement.scrollHeight, 600) + 100, 2400)";
        let height = self.client.execute(height, Vec::new()).await.unwrap().as_u64().unwrap();
        self.client.set_window_size(1360, u32::try_from(height).unwrap()).await.unwrap();
        let picture = self.client.screenshot().await.unwrap();
        self.client.set_window_size(1360, 1000).await.unwrap();
        std::fs::write(pictures().join(format!("{}{:02}-{name}.png", self.about, self.taken)), picture)
            .unwrap();
    }

    pub(crate) async fn sign_in(&self, demo: &Demo, name: &str) {
        let account = demo.account(name);
        self.go("/sign-in").await;
        self.fill("#email", &account.email).await;
        self.fill("#password", account.password.expose_secret()).await;
        self.click("button.primary").await;
        self.until(".who", &account.email).await;
    }

    async fn sign_out(&self) {
        self.click("#sign-out").await;
        self.see("#password").await;
    }
}

fn pictures() -> PathBuf {
    // Test binaries are in target/debug/deps, or where CARGO_TARGET_DIR says.
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().nth(3).unwrap().join("screenshots");
    std::fs::create_dir_all(&target).unwrap();
    target
}

#[tokio::test]
async fn the_whole_loop_in_a_browser() {
    let demo = Demo::start().await;
    let mut window = Window::open(&demo).await;
    publish(&demo, &mut window).await;
    get_credits(&demo, &mut window).await;
    fill_in(&mut window).await;
    let id = follow(&mut window).await;
    look_at_money(&demo, &mut window).await;
    destroy(&demo, &mut window, &id).await;
    window.client.clone().close().await.unwrap();
}

async fn publish(demo: &Demo, window: &mut Window) {
    window.go("/sign-in").await;
    window.picture("sign-in").await;
    window.sign_in(demo, "partner").await;
    window.go("/profile").await;
    window.click("#fetch").await;
    window.click("input[name=repository]").await;
    window.until("#branches", "main now").await;
    window.fill("#sub_dir", "nowhere").await;
    window.click("#connect").await;
    window.until("#repository .problem", "no directory").await;
    window.picture("profile-refused").await;
    window.fill("#sub_dir", "modules").await;
    window.click("#connect").await;
    window.until(".notice", "connected").await;
    window.fill("[data-filter]", "purchased credits only").await;
    window.see("[data-name=hello][hidden]").await;
    assert_eq!(window.client.find_all(Locator::Css(".module:not([hidden])")).await.unwrap().len(), 1);
    window.fill("[data-filter]", " ").await;
    for module in MODULES {
        window.click(&format!("input[name=module][value={module}]")).await;
    }
    window.picture("publish").await;
    window.click("#plan").await;
    window.until("table.plan", "web-stack").await;
    window.picture("plan").await;
    window.click("#apply").await;
    window.until(".notice", "The catalogue is as you wanted it.").await;
    window.picture("published").await;
    window.sign_out().await;
}

async fn get_credits(demo: &Demo, window: &mut Window) {
    window.sign_in(demo, "admin").await;
    window.go("/admin/accounts?q=user@").await;
    window.click("#accounts tbody a").await;
    window.fill("#credits", "12").await;
    window.click("#award").await;
    window.until(".notice", "awarded").await;
    window.picture("award").await;
    window.sign_out().await;

    window.sign_in(demo, "user").await;
    window.go("/credits").await;
    window.fill("#credits", "100").await;
    window.click("#buy button").await;
    window.until(".sandbox-banner", "SANDBOX").await;
    window.picture("sandbox").await;
    window.click("#pay").await;
    window.until("#order-status", "paid").await;
    window.picture("order").await;
    window.go("/credits").await;
    assert_eq!((window.see("#awarded").await, window.see("#purchased").await), ("12".into(), "100".into()));
    window.picture("credits").await;
}

async fn fill_in(window: &mut Window) {
    window.go("/deploy?tab=partner").await;
    window.picture("deploy").await;
    window.click("article[data-name=web-stack] a.button").await;
    assert_eq!(window.see("#quote-awarded").await, "12");
    assert_eq!(window.see("#quote-purchased").await, "8");
    window.fill("[name='v/service_name']", "Bad Name").await;
    window.click(".page:not([hidden]) [data-next]").await;
    window.until("[data-field='v/service_name'] .problem", "A service name has 3 to 30").await;
    window.picture("form-problem").await;
    window.fill("[name='v/service_name']", "shop").await;
    window.click(".page:not([hidden]) [data-next]").await;
    window.until(".steps [aria-current]", "Step 2").await;
    window.click("[name='v/create_database'][type=checkbox]").await;
    window.see("[data-field='v/database'][hidden]").await;
    window.click("[name='v/create_database'][type=checkbox]").await;
    window.see("[data-field='v/database']:not([hidden])").await;
    window.click("[value='add:v/listeners']").await;
    window.fill("[name='v/listeners/1/port']", "8080").await;
    window.picture("form-nested").await;
    window.click(".page:not([hidden]) [data-next]").await;
    window.until(".steps [aria-current]", "Step 3").await;
    window.fill("[name='v/admin_password']", "correct horse battery").await;
    window.picture("form-sensitive").await;
    window.click(".page:not([hidden]) [data-next]").await;
    window.until(".steps [aria-current]", "Review").await;
    window.until("#review-values", "8080").await;
    window.picture("review").await;
    window.click("#deploy-now").await;
    window.until(".notice", "on its way").await;
    window.picture("deployments").await;
}

async fn follow(window: &mut Window) -> String {
    let id = window.see("#deployments tbody a").await;
    window.click("#deployments tbody a").await;
    window.until("#log", "Terraform").await;
    window.picture("live").await;
    window.until("#status", "success").await;
    window.until("#outputs", "https://www.example.com/").await;
    window.until("#log", "Apply complete").await;
    assert!(!window.client.source().await.unwrap().contains("correct horse"), "a secret is on the page");
    window.click("[data-reveal=administrator]").await;
    window.until("#outputs", "password_digest").await;
    assert_eq!(window.see("#charged-awarded").await, "12");
    assert_eq!(window.see("#charged-purchased").await, "8");
    window.picture("success").await;
    id
}

async fn look_at_money(demo: &Demo, window: &mut Window) {
    window.go("/credits").await;
    window.until("#transactions", "Charge").await;
    assert_eq!((window.see("#awarded").await, window.see("#purchased").await), ("0".into(), "92".into()));
    window.picture("transactions").await;
    window.sign_out().await;
    window.sign_in(demo, "partner").await;
    window.go("/revenue").await;
    assert_eq!(window.see("[data-total='Your share']").await, "0.16 USD");
    window.picture("revenue-partner").await;
    window.sign_out().await;
    window.sign_in(demo, "finance").await;
    window.go("/revenue").await;
    assert_eq!(window.see("[data-total='Gross']").await, "0.80 USD");
    assert_eq!(window.see("[data-total='Partners']").await, "0.16 USD");
    assert_eq!(window.see("[data-total='Agents']").await, "0.04 USD");
    window.picture("revenue-finance").await;
    window.go("/admin/settings").await;
    window.fill("#rates input", "96").await;
    window.click("#save").await;
    window.until("#rates .problem", "at most 95 %").await;
    window.picture("settings-refused").await;
    window.fill("#rates input", "25").await;
    window.click("#save").await;
    window.until(".notice", "in force from now on").await;
    window.picture("settings").await;
    window.sign_out().await;
    window.sign_in(demo, "partner").await;
    window.go("/revenue").await;
    window.until("[data-total='Your rate now']", "25 %").await;
    assert_eq!(window.see("[data-total='Your share']").await, "0.16 USD");
    window.sign_out().await;
}

async fn destroy(demo: &Demo, window: &mut Window, id: &str) {
    window.sign_in(demo, "user").await;
    window.click("button.to-dark").await;
    window.see("html[data-theme=dark]").await;
    window.go(&format!("/deployments/{id}")).await;
    window.click("#delete").await;
    window.client.accept_alert().await.unwrap();
    window.until("#status", "deleted").await;
    window.until("#history", "Delete").await;
    window.picture("deleted-dark").await;
    window.go("/deploy?tab=partner").await;
    window.picture("deploy-dark").await;
    window.client.set_window_size(420, 900).await.unwrap();
    window.taken += 1;
    let picture = window.client.screenshot().await.unwrap();
    std::fs::write(pictures().join(format!("{:02}-narrow.png", window.taken)), picture).unwrap();
}
