//! A capability of one's own: a contract that the host has never heard of, its provider, made with `wattle new provider`, and an
//! actor that uses it.

use std::time::Duration;

use serde::Serialize;
use wattle_core::{Handle, codec};
use wattle_label_printer::contract::printer::{
    Element, INTERFACE, LabelHandle, Place, Receipt, Size, StyleFlag, Symbology, params,
};
use wattle_testing::{Guest, Lattice, Mood, Site, ZplPrinter, eventually, program};

const ADDRESS: &str = "Ana Meier\nGasse 7\n3011 Bern\nP-0001";

/// The example's actor, and its provider, which also keeps each call's bytes.
struct Scene {
    lattice: Lattice,
    parcels: Site,
    printer: ZplPrinter,
}

impl Scene {
    async fn start() -> Self {
        let lattice = Lattice::start().await;
        let printer = ZplPrinter::start().await;
        let binary = std::fs::read(program("wattle-recorder")).expect("the program");
        let artifact = lattice.chain().sign_provider_of(&[INTERFACE], binary, "printer");
        let file = format!("file:{}", lattice.write("printer.tar", &artifact));
        lattice.wattle(&["start", "provider", &file, "--id", "printer"]).await.ok();
        let parcels = lattice.serve(Guest::Parcels, "parcels").await;
        let scene = Self { lattice, parcels, printer };
        scene.link().await;
        scene
    }

    async fn link(&self) {
        let address = format!("address={}", self.printer.address);
        let settings =
            ["--target", &address, "--target", "timeout_ms=1000", "--constraint", "copies=3"];
        self.lattice.link("parcels", "printer", INTERFACE, &settings).await;
    }

    async fn post(&self, path: &str, body: &str) -> (u16, String) {
        let response = self.parcels.post(path, body.as_bytes()).await;
        (response.status, response.text().trim().to_owned())
    }

    /// Function, parameters and result of each call so far, in hexadecimal.
    fn calls(&self) -> Vec<[String; 3]> {
        let path = self.lattice.project().join("host/providers/printer/calls");
        let text = std::fs::read_to_string(path).expect("the recorder's file");
        let call = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(words[0], INTERFACE);
            [1, 2, 3].map(|at| words[at].to_owned())
        };
        text.lines().map(call).collect()
    }
}

fn hex(value: &impl Serialize) -> String {
    codec::encode(value).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_prints_over_a_contract_of_somebody_s_own() {
    let scene = Scene::start().await;
    assert_eq!(scene.parcels.get("/").await.text().trim(), "ready, 0 waiting");
    assert_eq!(scene.post("/?copies=2", ADDRESS).await, (200, "1 printed".to_owned()));
    let printed = scene.printer.printed();
    for part in ["^PW800^LL480", "^FDAna Meier^FS", "^FDP-0001^FS", "^FDQA,P-0001^FS", "^PQ2^XZ"] {
        assert!(printed[0].contains(part), "{part}: {printed:?}");
    }
    let two = format!("{ADDRESS}\n\nBo Frei\nWeg 1\n8001 Zürich\nP-0002");
    assert_eq!(scene.post("/", &two).await, (200, "2 printed".to_owned()));
    let printed = scene.printer.printed();
    assert!(printed.len() == 2 && printed[1].contains("^FD8001 Zürich^FS"), "{printed:?}");
    let (status, preview) = scene.post("/preview", ADDRESS).await;
    assert!(status == 200 && preview.starts_with("^XA^CI28"), "{preview}");
    assert!(scene.printer.printed().is_empty(), "nothing is printed to be seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_an_answer_of_the_contract_and_not_the_actor_s_end() {
    let scene = Scene::start().await;
    let status = async |path: &str, body: &str| scene.post(path, body).await.0;
    assert_eq!(status("/?copies=4", ADDRESS).await, 403, "the link allows three");
    assert_eq!(status("/", "Ana\u{7}\nP-1").await, 422);
    assert_eq!(status("/", &"line\n".repeat(300)).await, 422);
    scene.printer.set(Mood::PaperOut);
    let (stopped, why) = scene.post("/", ADDRESS).await;
    assert!(stopped == 503 && why.contains("no paper"), "{why}");
    scene.printer.set(Mood::Vanishing);
    assert_eq!(status("/", ADDRESS).await, 502, "it may have printed");
    scene.printer.set(Mood::Ready);
    assert_eq!(status("/", ADDRESS).await, 200);
    let mut scene = scene;
    scene.printer = ZplPrinter::start().await;
    assert_eq!(scene.post("/", ADDRESS).await.0, 503, "the old one is gone");
    scene.link().await;
    assert_eq!(scene.post("/", ADDRESS).await.0, 200);
    scene.lattice.wattle(&["link", "del", "parcels", "printer", "example:labels"]).await.ok();
    assert_eq!(scene.parcels.post("/", ADDRESS.as_bytes()).await.status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_is_sent_is_what_serde_writes_of_the_types_that_were_made_for_it() {
    let scene = Scene::start().await;
    assert_eq!(scene.post("/?copies=2", "Ana\nP-1").await.0, 200);
    // The labels are let go of when the instance has ended.
    let calls = eventually("all labels are dropped", Duration::from_secs(10), async || {
        let calls = scene.calls();
        let dropped = calls.iter().any(|[function, ..]| function == "[resource-drop]label");
        dropped.then_some(calls)
    })
    .await;
    let handle = |call: &[String; 3], head: &str| {
        let number = call[2].strip_prefix(head).expect("a handle");
        let bytes: Vec<u8> = (0..number.len() / 2)
            .map(|at| u8::from_str_radix(&number[2 * at..2 * at + 2], 16).expect("hexadecimal"))
            .collect();
        LabelHandle(codec::decode::<Handle>(&bytes, 5).expect("a handle"))
    };
    let size = || Size { width: 1_000, height: 600 };
    let text = |y, style: &[StyleFlag], content: &str| {
        let (at, style) = (Place { x: 40, y }, style.iter().copied().collect());
        let content = content.to_owned();
        Element::Text(wattle_label_printer::contract::printer::Text {
            at,
            height: 35,
            style,
            content,
        })
    };
    let code = |x, symbology, height| {
        let (at, content) = (Place { x, y: 400 }, "P-1".to_owned());
        let code = wattle_label_printer::contract::printer::Code { at, symbology, height, content };
        Element::Code(code)
    };
    // An Ok is a map of one, whose key has three bytes.
    let (blank, label) = (handle(&calls[0], "81a24f6b"), handle(&calls[2], ""));
    let sender = "Wattle Tea, Bahnhofstrasse 1, 8001 Zürich";
    let added = [
        vec![
            Element::Frame((Place { x: 0, y: 0 }, size())),
            text(40, &[StyleFlag::Inverted], sender),
        ],
        vec![
            text(140, &[], "Ana"),
            code(40, Symbology::Code128, Some(100)),
            code(760, Symbology::Qr, None),
        ],
    ];
    let [first, second] = added;
    let added = |count: u32| hex(&Ok::<u32, ()>(count));
    let bytes = u32::try_from(scene.printer.printed()[0].len()).expect("a label is short");
    let receipt = hex(&Ok::<Receipt, ()>(Receipt { copies: 2, bytes }));
    let expected = [
        ("[constructor]label", hex(&params::NewLabel { size: size() }), calls[0][2].clone()),
        ("[method]label.add", hex(&params::LabelAdd { label: blank, elements: first }), added(2)),
        ("[method]label.copy", hex(&params::LabelCopy { label: blank }), calls[2][2].clone()),
        ("[method]label.add", hex(&params::LabelAdd { label, elements: second }), added(5)),
        ("[method]label.print", hex(&params::LabelPrint { label, copies: Some(2) }), receipt),
    ];
    // Labels may be let go of in between.
    let mut said = calls.iter().filter(|[function, ..]| function != "[resource-drop]label");
    for (function, params, result) in expected {
        assert_eq!(said.next(), Some(&[function.to_owned(), params, result]));
    }
    assert_eq!(said.next(), None);
}
