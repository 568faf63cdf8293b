use super::{even::*, *};

fn key(index: u8) -> HostKey {
    let letter = char::from(b'A' + index);
    format!("N{}", letter.to_string().repeat(55)).parse().expect("a host's key")
}

#[test]
fn a_number_is_divided_in_proportion_and_whole() {
    assert_eq!(proportionally(9, &[50, 30, 20]), [4, 3, 2]);
    assert_eq!(proportionally(4, &[80, 20]), [3, 1]);
    assert_eq!(proportionally(1, &[1, 1, 1]), [1, 0, 0]);
    assert_eq!(proportionally(7, &[0, 1]), [0, 7]);
    assert_eq!(proportionally(5, &[]), Vec::<u32>::new());
    let most = proportionally(65_535, &[1_000_000; 100]);
    assert_eq!(most.iter().sum::<u32>(), 65_535);
}

#[test]
fn hosts_get_even_parts_as_far_as_they_have_room() {
    let keys: Vec<HostKey> = (0..4).map(key).collect();
    let place = |index: usize, room, runs, load| Place {
        host: &keys[index],
        room,
        runs,
        seniority: 0,
        load,
        is_cached: index == 3,
    };
    let given = |count, places| {
        let mut counts = [0; 4];
        for (host, count) in evenly(count, places) {
            counts[keys.iter().position(|key| key == host).expect("one of them")] = count;
        }
        counts
    };
    let all = |rooms: [u32; 4]| (0..4).map(|index| place(index, rooms[index], 0, 0)).collect();
    assert_eq!(given(8, all([9; 4])), [2, 2, 2, 2]);
    assert_eq!(given(10, all([1, 9, 2, 9])), [1, 3, 2, 4]);
    assert_eq!(given(100, all([1, 2, 3, 4])), [1, 2, 3, 4]);
    assert_eq!(given(0, all([9; 4])), [0; 4]);
    assert_eq!(given(5, Vec::new()), [0; 4]);
    // The one over goes where it runs already, else where least is, else where the artifact is.
    assert_eq!(given(1, vec![place(0, 9, 0, 0), place(1, 9, 1, 5)]), [0, 1, 0, 0]);
    assert_eq!(given(1, vec![place(0, 9, 0, 5), place(1, 9, 0, 4)]), [0, 1, 0, 0]);
    assert_eq!(given(1, vec![place(2, 9, 0, 0), place(3, 9, 0, 0)]), [0, 0, 0, 1]);
}

#[test]
fn what_runs_is_kept_if_it_is_as_even() {
    let keys: Vec<HostKey> = (0..3).map(key).collect();
    let labels = BTreeMap::new();
    let current = |counts: [u32; 3]| -> Candidates<'_> {
        let one = |(host, current): (_, u32)| {
            let candidate = Candidate {
                is_cached: false,
                is_away: false,
                labels: &labels,
                room: Ok(9),
                current,
                seniority: 0,
                load: 0,
            };
            (host, candidate)
        };
        keys.iter().zip(counts).map(one).collect()
    };
    let portion = |count, hosts: &[usize]| Portion {
        count,
        hosts: hosts.iter().map(|&index| &keys[index]).collect(),
    };
    let counts = |counts: [u32; 3]| -> Counts {
        let pairs = keys.iter().cloned().zip(counts);
        pairs.filter(|(_, count)| *count > 0).collect()
    };
    // One of the first two, one of the last two, and it takes a swap to see that both are satisfied.
    let portions = [portion(1, &[0, 1]), portion(1, &[0]), portion(1, &[1, 2])];
    let keep = |now, found| keep::if_as_good(&current(now), &portions, counts(found));
    assert_eq!(keep([1, 1, 1], [2, 1, 0]), counts([1, 1, 1]));
    assert_eq!(keep([2, 0, 1], [1, 1, 1]), counts([1, 1, 1]), "not as even");
    assert_eq!(keep([0, 2, 1], [2, 1, 0]), counts([2, 1, 0]), "the second portion has nothing");
    assert_eq!(keep([1, 1, 0], [2, 1, 0]), counts([2, 1, 0]), "one too few");
}
