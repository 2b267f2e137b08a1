//! Conversations: THREAD by ORDEREDSUBJECT and by REFERENCES (RFC 5256 §3).
//!
//! Nothing recurses: how deep a conversation goes is its writers' choice.

use hashbrown::HashMap;

use super::search::Subject;
use super::sort::{base_subject, sent};
use super::subject::BaseSubject;
use crate::message::fields::fields;
use crate::message::message_ids;

/// A message as threading looks at it.
#[derive(Debug, Clone, Default)]
pub struct Threaded {
    /// What names it in the answer: its sequence number or its UID.
    number: u32,
    date: i64,
    base: BaseSubject,
    id: Option<String>,
    /// The oldest first.
    references: Vec<String>,
}

impl Threaded {
    /// Looks up what threading needs. `number` is what names the message in the answer.
    ///
    /// # Errors
    /// What the message could not give.
    pub fn new<S: Subject>(subject: &S, number: u32) -> Result<Threaded, S::Error> {
        let header = subject.header()?;
        let (mut id, mut references, mut in_reply_to) = (None, Vec::new(), Vec::new());
        for field in fields(&header) {
            if field.is(b"Message-ID") && id.is_none() {
                id = message_ids(field.value).into_iter().next();
            } else if field.is(b"References") && references.is_empty() {
                references = message_ids(field.value);
            } else if field.is(b"In-Reply-To") && in_reply_to.is_empty() {
                in_reply_to = message_ids(field.value);
            }
        }
        if references.is_empty() {
            // Of several ids in In-Reply-To only the first is the parent's.
            references.extend(in_reply_to.into_iter().next());
        }
        Ok(Threaded { number, date: sent(subject)?, base: base_subject(&header), id, references })
    }
}

/// ORDEREDSUBJECT: messages in the order of the mailbox in, the answer's text out.
pub fn ordered_subject(messages: &[Threaded]) -> String {
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&messages[a], &messages[b]);
        (&a.base.text, a.date, a.number).cmp(&(&b.base.text, b.date, b.number))
    });
    let mut threads: Vec<&[usize]> =
        order.chunk_by(|&a, &b| messages[a].base.text == messages[b].base.text).collect();
    threads.sort_by_key(|thread| (messages[thread[0]].date, messages[thread[0]].number));
    let mut out = String::new();
    for thread in threads {
        out.push('(');
        out.push_str(&messages[thread[0]].number.to_string());
        // All others answer the first.
        match &thread[1..] {
            [] => {}
            [only] => out.push_str(&format!(" {}", messages[*only].number)),
            others => {
                out.push(' ');
                others.iter().for_each(|&at| out.push_str(&format!("({})", messages[at].number)));
            }
        }
        out.push(')');
    }
    out
}

/// REFERENCES: messages in the order of the mailbox in, the answer's text out.
pub fn references(messages: &[Threaded]) -> String {
    let mut forest = Forest::new(messages);
    forest.link(messages);
    forest.prune();
    forest.sort(messages, ROOT);
    forest.join_subjects(messages);
    forest.sort_all(messages);
    forest.write(messages)
}

/// The node that holds all threads.
const ROOT: usize = 0;

/// Messages, and places of messages that are only referred to.
struct Forest {
    nodes: Vec<Node>,
    by_id: HashMap<String, usize>,
}

#[derive(Default)]
struct Node {
    message: Option<usize>,
    parent: Option<usize>,
    children: Vec<usize>,
}

impl Forest {
    /// A node for each message. Of several with one id the first has it.
    fn new(messages: &[Threaded]) -> Forest {
        let mut forest = Forest { nodes: vec![Node::default()], by_id: HashMap::new() };
        for (at, message) in messages.iter().enumerate() {
            let node = forest.nodes.len();
            forest.nodes.push(Node { message: Some(at), ..Node::default() });
            if let Some(id) = &message.id {
                forest.by_id.entry(id.clone()).or_insert(node);
            }
        }
        forest
    }

    /// Step 1 and 2: who answers whom, and what answers nobody.
    fn link(&mut self, messages: &[Threaded]) {
        for (at, message) in messages.iter().enumerate() {
            let mut before: Option<usize> = None;
            for id in &message.references {
                let node = self.place(id);
                if let Some(before) = before
                    && self.nodes[node].parent.is_none()
                    && !self.is_above(node, before)
                {
                    self.nodes[node].parent = Some(before);
                }
                before = Some(node);
            }
            // Its own references outweigh what others thought.
            let node = at + 1;
            match before {
                Some(parent) if !self.is_above(node, parent) => self.nodes[node].parent = Some(parent),
                _ => self.nodes[node].parent = None,
            }
        }
        for node in 1..self.nodes.len() {
            let parent = self.nodes[node].parent.unwrap_or(ROOT);
            self.nodes[parent].children.push(node);
        }
    }

    fn place(&mut self, id: &str) -> usize {
        if let Some(node) = self.by_id.get(id) {
            return *node;
        }
        let node = self.nodes.len();
        self.nodes.push(Node::default());
        self.by_id.insert(id.to_owned(), node);
        node
    }

    /// Whether `upper` is `node` or one of those it stands under. Bounded, so that a long chain of answers
    /// costs no more than a long chain: beyond the bound a link is not made.
    fn is_above(&self, upper: usize, node: usize) -> bool {
        const FARTHEST: usize = 1_000;
        let mut at = Some(node);
        for _ in 0..FARTHEST {
            match at {
                None => return false,
                Some(same) if same == upper => return true,
                Some(other) => at = self.nodes[other].parent,
            }
        }
        true
    }

    /// Step 3: places without a message go; their children move up, at the root only an only child.
    fn prune(&mut self) {
        for node in self.bottom_up() {
            let children = std::mem::take(&mut self.nodes[node].children);
            let mut kept = Vec::with_capacity(children.len());
            for child in children {
                let below = &self.nodes[child];
                if below.message.is_some() || node == ROOT && below.children.len() > 1 {
                    kept.push(child);
                } else {
                    kept.append(&mut self.nodes[child].children);
                }
            }
            self.nodes[node].children = kept;
        }
    }

    /// Every node that is in the forest, children before parents.
    fn bottom_up(&self) -> Vec<usize> {
        let mut order = vec![ROOT];
        let mut at = 0;
        while let Some(&node) = order.get(at) {
            order.extend_from_slice(&self.nodes[node].children);
            at += 1;
        }
        order.reverse();
        order
    }

    /// The message that stands for a node: its own, or its first child's, which at the root of a thread is one.
    fn stands_for<'m>(&self, node: usize, messages: &'m [Threaded]) -> Option<&'m Threaded> {
        let node = &self.nodes[node];
        let message = node.message.or_else(|| self.nodes[*node.children.first()?].message)?;
        messages.get(message)
    }

    /// Steps 4 and 6: siblings by date.
    fn sort(&mut self, messages: &[Threaded], node: usize) {
        let mut children = std::mem::take(&mut self.nodes[node].children);
        children.sort_by_key(|child| self.stands_for(*child, messages).map(|m| (m.date, m.number)));
        self.nodes[node].children = children;
    }

    fn sort_all(&mut self, messages: &[Threaded]) {
        for node in self.bottom_up() {
            self.sort(messages, node);
        }
    }

    /// Step 5: threads with one base subject become one.
    fn join_subjects(&mut self, messages: &[Threaded]) {
        // A place without a message is known by its first child, so those come into order first.
        for thread in self.nodes[ROOT].children.clone() {
            self.sort(messages, thread);
        }
        let threads = std::mem::take(&mut self.nodes[ROOT].children);
        let mut table: HashMap<&str, usize> = HashMap::new();
        for &thread in &threads {
            let Some(base) = self.stands_for(thread, messages).map(|m| &m.base) else { continue };
            if base.text.is_empty() {
                continue;
            }
            let known = table.entry(&base.text).or_insert(thread);
            let known_is_reply = self.stands_for(*known, messages).is_some_and(|m| m.base.is_reply);
            let (is_dummy, known_is_dummy) = (self.is_dummy(thread), self.is_dummy(*known));
            if is_dummy && !known_is_dummy || !base.is_reply && known_is_reply && is_dummy == known_is_dummy {
                *known = thread;
            }
        }
        let mut kept = Vec::with_capacity(threads.len());
        for thread in threads {
            let base = self.stands_for(thread, messages).map(|m| &m.base);
            let known = base.and_then(|base| table.get_mut(base.text.as_str()));
            let (Some(base), Some(known)) = (base, known) else {
                kept.push(thread);
                continue;
            };
            if *known == thread {
                kept.push(thread);
                continue;
            }
            let known_is_reply = self.stands_for(*known, messages).is_some_and(|m| m.base.is_reply);
            match (self.is_dummy(thread), self.is_dummy(*known)) {
                (true, true) => {
                    let mut children = std::mem::take(&mut self.nodes[thread].children);
                    self.nodes[*known].children.append(&mut children);
                }
                (false, true) => self.nodes[*known].children.push(thread),
                (_, false) if base.is_reply && !known_is_reply => self.nodes[*known].children.push(thread),
                _ => {
                    // Neither answers the other: both stand under a place of their own, where the first stood.
                    let node = self.nodes.len();
                    self.nodes.push(Node { children: vec![*known, thread], ..Node::default() });
                    match kept.iter_mut().find(|kept| **kept == *known) {
                        Some(place) => *place = node,
                        None => kept.push(node),
                    }
                    *known = node;
                }
            }
        }
        // A thread may have been put under one that came later in the order and moved since.
        let under: hashbrown::HashSet<usize> =
            kept.iter().flat_map(|thread| self.nodes[*thread].children.iter().copied()).collect();
        kept.retain(|thread| !under.contains(thread));
        self.nodes[ROOT].children = kept;
    }

    fn is_dummy(&self, node: usize) -> bool {
        self.nodes[node].message.is_none()
    }

    fn write(&self, messages: &[Threaded]) -> String {
        enum Step {
            Open(usize),
            Close,
        }
        let mut out = String::new();
        let mut steps: Vec<Step> = self.nodes[ROOT].children.iter().rev().map(|n| Step::Open(*n)).collect();
        while let Some(step) = steps.pop() {
            let Step::Open(mut node) = step else {
                out.push(')');
                continue;
            };
            out.push('(');
            steps.push(Step::Close);
            // A chain of only children is written without parentheses.
            let mut first = true;
            loop {
                if let Some(message) = self.nodes[node].message {
                    out.push_str(if first { "" } else { " " });
                    out.push_str(&messages[message].number.to_string());
                    first = false;
                }
                match self.nodes[node].children.as_slice() {
                    [] => break,
                    [only] => node = *only,
                    many => {
                        out.push_str(if first { "" } else { " " });
                        steps.extend(many.iter().rev().map(|child| Step::Open(*child)));
                        break;
                    }
                }
            }
        }
        out
    }
}
