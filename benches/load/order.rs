//! One request to mint: who gets how much, and how it reads on the wire.

use moneyer::types::{Address, Amount};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::world::{Issuer, World};

/// Base units of one line; small enough that no run reaches the cap.
const AMOUNT_MAX: u64 = 1_000_000_000_000_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Sent as `X-Request-Id`, so that operation and audit event can be told apart by it.
    pub request_id: String,
    pub idempotency_key: Option<String>,
    pub asset: Address,
    pub lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub recipient: Address,
    pub amount: Amount,
}

/// Makes orders and writes them as requests: everything that does not change is text already, because the client shares
/// its processors with the server it measures.
pub struct OrderBook {
    assets: Vec<(Address, String)>,
    recipients: Vec<(Address, String)>,
    /// So many of them, from the front, are drawn; the others are only added ([`OrderBook::add`]).
    drawn: usize,
    issuers: Vec<(String, String)>,
}

/// The choices of one client, the same for the same seed.
pub struct Chooser {
    client: usize,
    run: u64,
    number: u64,
    random: StdRng,
    /// Indexes of the recipients; what was drawn is in front.
    deck: Vec<usize>,
}

/// An order with the places of its recipients in the book.
pub struct Drawn {
    pub order: Order,
    picks: Vec<usize>,
    asset: usize,
}

impl OrderBook {
    pub fn new(world: &World) -> Self {
        let text = |address: &Address| (*address, address.to_string());
        let head = |issuer: &Issuer| format!("X-Api-Key: {}\r\n", issuer.api_key);
        let verification = |issuer: &Issuer| {
            let pin = &issuer.pin;
            format!(r#"],"walletVerification":{{"secretVerificationCode":"{pin}","verificationType":"PINCODE"}}}}"#)
        };
        Self {
            assets: world.assets.iter().map(|asset| text(&asset.address)).collect(),
            recipients: world.recipients.iter().chain(&world.apart).map(text).collect(),
            drawn: world.recipients.len(),
            issuers: world.issuers.iter().map(|i| (head(i), verification(i))).collect(),
        }
    }

    pub fn chooser(&self, client: usize, seed: u64) -> Chooser {
        Chooser {
            client,
            run: seed,
            number: 0,
            random: StdRng::seed_from_u64(seed ^ u64::try_from(client).unwrap_or_default().rotate_left(32)),
            deck: (0..self.drawn).collect(),
        }
    }

    /// A request of `lines` different recipients, on any of the assets.
    pub fn draw(&self, chooser: &mut Chooser, lines: usize) -> Drawn {
        let asset = chooser.random.random_range(0..self.assets.len());
        self.draw_on(asset, chooser, lines)
    }

    /// The same on the asset at this place in the book.
    pub fn draw_on(&self, asset: usize, chooser: &mut Chooser, lines: usize) -> Drawn {
        let Chooser { random, deck, .. } = chooser;
        for place in 0..lines.min(deck.len()) {
            let other = random.random_range(place..deck.len());
            deck.swap(place, other);
        }
        let picks = deck[..lines.min(deck.len())].to_vec();
        let lines = picks.iter().map(|pick| Line {
            recipient: self.recipients[*pick].0,
            amount: Amount::from(random.random_range(1..=AMOUNT_MAX)),
        });
        let lines = lines.collect();
        chooser.number += 1;
        let order = Order {
            request_id: format!("load-{:x}-{}-{}", chooser.run, chooser.client, chooser.number),
            idempotency_key: None,
            asset: self.assets[asset].0,
            lines,
        };
        Drawn { order, picks, asset }
    }

    /// Puts one more recipient into an order, who is not drawn; the line he has there. None when the book does not know him.
    pub fn add(&self, drawn: &mut Drawn, chooser: &mut Chooser, recipient: Address) -> Option<usize> {
        let pick = self.recipients.iter().position(|(known, _)| *known == recipient)?;
        let place = chooser.random.random_range(0..=drawn.picks.len());
        let amount = Amount::from(chooser.random.random_range(1..=AMOUNT_MAX));
        drawn.picks.insert(place, pick);
        drawn.order.lines.insert(place, Line { recipient, amount });
        Some(place)
    }

    /// An order on the first asset for the recipients of a portion of the book: portion 0 is the first `lines` of them.
    pub fn portion(&self, number: usize, lines: usize) -> Drawn {
        let picks: Vec<usize> = (number * lines..(number + 1) * lines).collect();
        let order = Order {
            request_id: format!("load-portion-{number}"),
            idempotency_key: None,
            asset: self.assets[0].0,
            lines: picks
                .iter()
                .map(|pick| Line {
                    recipient: self.recipients[*pick].0,
                    amount: Amount::from(u64::try_from(*pick).unwrap_or_default() + 1),
                })
                .collect(),
        };
        Drawn { order, picks, asset: 0 }
    }

    /// The order as an HTTP request of the client's issuer. Overwrites `out`; `body` is room to work in.
    pub fn write(&self, client: usize, drawn: &Drawn, body: &mut Vec<u8>, out: &mut Vec<u8>) {
        self.write_with(client, drawn, "", body, out);
    }

    /// The same with further header lines.
    pub fn write_with(&self, client: usize, drawn: &Drawn, headers: &str, body: &mut Vec<u8>, out: &mut Vec<u8>) {
        let (key, verification) = &self.issuers[client % self.issuers.len()];
        body.clear();
        body.extend_from_slice(b"{\"recipients\":[");
        for (position, pick) in drawn.picks.iter().enumerate() {
            body.extend_from_slice(if position == 0 { b"\"" } else { b",\"" });
            body.extend_from_slice(self.recipients[*pick].1.as_bytes());
            body.push(b'"');
        }
        body.extend_from_slice(b"],\"amounts\":[");
        for (position, line) in drawn.order.lines.iter().enumerate() {
            body.extend_from_slice(if position == 0 { b"\"" } else { b",\"" });
            body.extend_from_slice(line.amount.to_string().as_bytes());
            body.push(b'"');
        }
        body.extend_from_slice(verification.as_bytes());

        let (asset, order) = (&self.assets[drawn.asset].1, &drawn.order);
        let idempotency = order.idempotency_key.as_ref();
        let idempotency = idempotency.map_or_else(String::new, |key| format!("Idempotency-Key: {key}\r\n"));
        let head = format!(
            "POST /api/token/{asset}/mint HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nX-Request-Id: {}\r\n{idempotency}{headers}{key}\r\n",
            body.len(),
            order.request_id,
        );
        out.clear();
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(body);
    }
}

impl Chooser {
    pub fn number_up_to(&mut self, most: usize) -> usize {
        self.random.random_range(1..=most.max(1))
    }

    pub fn is_heads(&mut self) -> bool {
        self.random.random()
    }
}
