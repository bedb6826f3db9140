mod authors;
#[path = "../tests/common/mod.rs"]
mod common;
mod histories;
mod lab;
mod limit;
mod peers;
mod timing;

use authors::{Company, Kind};
use histories::{History, Shape};
use lab::Lab;
use peers::Peers;
use timing::{Contender, interleaved, millis};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let kind = Kind::ALL.into_iter().find(|k| k.word() == args[0]).expect("kind");
    let n: usize = args[1].parse().unwrap();
    let rounds: usize = args[2].parse().unwrap();
    let folder = countersign_tests::servers::folder();
    let (t, company) = millis(|| Company::of(kind));
    println!("keys {t:.0} ms");
    let (t, history) = millis(|| History::make(folder.path(), &company, Shape::Linear, (1, n)));
    println!("history {t:.0} ms");
    let (t, lab) = millis(|| Lab::new(&company, &history));
    println!("lab {t:.0} ms");
    if let Some(l) = limit::Limit::of(kind, company.authors.len(), n) {
        let m = interleaved(11, &mut [Box::new(|| l.millis()) as Contender]);
        println!("limit {:.1} {:?}", m[0].median(), m[0].range());
    }
    let peers = Peers::of(&company);
    if args.len() > 3 {
        let m = interleaved(
            rounds,
            &mut [Box::new(|| lab.millis()) as Contender, Box::new(|| peers.verify_commit(&history))],
        );
        println!(
            "ours {:.1} {:?}  git {:.1} ratio {:.0}",
            m[0].median(),
            m[0].range(),
            m[1].median(),
            m[1].median() / m[0].median()
        );
    } else {
        let m = interleaved(rounds, &mut [Box::new(|| lab.millis()) as Contender]);
        println!("ours {:.1} {:?}", m[0].median(), m[0].range());
    }
    let m = interleaved(
        rounds.max(21),
        &mut [Box::new(|| lab.millis()) as Contender, Box::new(|| lab.millis_of(std::path::Path::new("/bin/true")))],
    );
    println!("ours {:.2} {:?}  true {:.2} {:?}", m[0].median(), m[0].range(), m[1].median(), m[1].range());
    println!("peak {:.1}", lab.peak());
    if std::env::var_os("KEEP").is_some() {
        println!("{:?}", lab.repository.path);
        std::thread::sleep(std::time::Duration::from_secs(3600));
    }
}
