use super::*;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A client's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(MASKED | short as u8),
        medium @ 126..=0xFFFF => {
            bytes.push(MASKED | 126);
            bytes.extend((medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(MASKED | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ MASK[at % 4]));
    bytes
}

fn binary_frame(payload: &[u8]) -> Vec<u8> {
    frame(FIN | 2, payload)
}

/// Everything in `bytes`, arriving `step` bytes at a time.
fn read(bytes: &[u8], step: usize, bytes_max: usize) -> Result<Vec<Item>, Farewell> {
    let mut decoder = Decoder::new(bytes_max);
    let mut buffer = BytesMut::new();
    let mut items = Vec::new();
    for chunk in bytes.chunks(step) {
        buffer.extend_from_slice(chunk);
        while let Some(item) = decoder.decode(&mut buffer)? {
            items.push(item);
        }
    }
    assert!(buffer.is_empty(), "{} bytes are left", buffer.len());
    Ok(items)
}

#[test]
fn the_example_of_the_rfc_is_read() {
    // Section 5.7, a masked "Hello", sent as binary.
    let bytes = [0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(
        read(&bytes, 1, 10),
        Ok(vec![Item::Message(Bytes::from_static(b"Hello"))])
    );
}

#[test]
fn messages_of_every_length_arrive_in_any_pieces() {
    for length in [0, 1, 7, 8, 9, 125, 126, 127, 0xFFFF, 0x1_0000] {
        let payload: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let twice = [binary_frame(&payload), binary_frame(&payload)].concat();
        for step in [1, 3, 1_000, usize::MAX] {
            if step == 1 && length > 1_000 {
                continue;
            }
            let expected = Item::Message(payload.clone().into());
            assert_eq!(
                read(&twice, step, length),
                Ok(vec![expected.clone(), expected]),
                "{length} by {step}"
            );
        }
    }
}

#[test]
fn fragments_make_one_message_and_control_frames_may_come_between() {
    let bytes = [
        frame(2, b"ab"),
        frame(FIN | 9, b"ping"),
        frame(0, b"cd"),
        frame(FIN | 10, b""),
        frame(FIN, b"e"),
        frame(FIN | 8, b""),
    ]
    .concat();
    let expected = vec![
        Item::Ping(Bytes::from_static(b"ping")),
        Item::Message(Bytes::from_static(b"abcde")),
        Item::Close,
    ];
    assert_eq!(read(&bytes, 1, 5), Ok(expected));
}

#[test]
fn a_message_over_the_limit_is_refused_before_room_is_made() {
    let too_large = Err(Farewell::FrameTooLarge { bytes_max: 10 });
    assert!(read(&binary_frame(&[0; 10]), 1, 10).is_ok());
    assert_eq!(read(&binary_frame(&[0; 11]), 1, 10), too_large);
    let fragments = [frame(2, &[0; 6]), frame(FIN, &[0; 5])].concat();
    assert_eq!(read(&fragments, 1, 10), too_large, "fragments count together");
    let huge = [&[FIN | 2, MASKED | 127][..], &(1_u64 << 62).to_be_bytes(), &MASK].concat();
    let mut buffer = BytesMut::from(&huge[..]);
    let capacity = buffer.capacity();
    assert!(Decoder::new(10).decode(&mut buffer).is_err());
    assert_eq!(buffer.capacity(), capacity, "a length of 2^62 costs nothing");
}

#[test]
fn every_broken_rule_is_a_fault() {
    let long_ping = frame(FIN | 9, &[0; 126]);
    let inside = [frame(2, b"a"), frame(FIN | 2, b"b")].concat();
    let cases: [(&str, &[u8]); 8] = [
        ("reserved bit", &frame(FIN | 0x40 | 2, b"")),
        ("unknown opcode", &frame(FIN | 3, b"")),
        ("unmasked", &[FIN | 2, 1, b'a']),
        ("text", &frame(FIN | 1, b"hi")),
        ("long control frame", &long_ping),
        ("fragmented control frame", &frame(9, b"")),
        ("continuation of nothing", &frame(FIN, b"a")),
        ("message inside another", &inside),
    ];
    for (case, bytes) in cases {
        assert!(matches!(read(bytes, 1, 1_000), Err(Farewell::BadFrame(_))), "{case}");
    }
}

#[test]
fn server_frames_have_the_shortest_length() {
    for (length, header) in [
        (0, &[0x82, 0][..]),
        (125, &[0x82, 125]),
        (126, &[0x82, 126, 0, 126]),
        (0xFFFF, &[0x82, 126, 0xFF, 0xFF]),
        (0x1_0000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let frame = binary(&vec![7; length]);
        assert_eq!(&frame[..header.len()], header);
        assert_eq!(frame.len(), header.len() + length);
        assert!(frame[header.len()..].iter().all(|byte| *byte == 7));
    }
}

#[test]
fn random_bytes_never_panic() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..random.usize(..64)).map(|_| random.u8(..)).collect();
        if random.bool() && bytes.len() > 1 {
            bytes[0] = FIN | [0, 2, 9][random.usize(..3)];
            bytes[1] |= MASKED;
        }
        let mut decoder = Decoder::new(random.usize(..100));
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = decoder.decode(&mut buffer) {}
        assert!(buffer.len() <= bytes.len() && buffer.capacity() <= 512, "seed {seed}");
    }
}

#[test]
fn few_frames_are_taken_before_a_hello_and_any_number_after_it() {
    let ping = frame(FIN | 9, b"");
    let pings = |count: u16| BytesMut::from(&ping.repeat(usize::from(count))[..]);
    let mut decoder = Decoder::new(10);
    let drain = |decoder: &mut Decoder, mut buffer: BytesMut| {
        let mut count = 0;
        while decoder.decode(&mut buffer)?.is_some() {
            count += 1;
        }
        Ok::<u16, Farewell>(count)
    };
    assert_eq!(
        drain(&mut decoder, pings(FRAMES_BEFORE_HELLO_MAX)),
        Ok(FRAMES_BEFORE_HELLO_MAX)
    );
    let more = drain(&mut decoder, pings(1));
    assert!(matches!(more, Err(Farewell::BadFrame(_))), "{more:?}");
    let mut decoder = Decoder::new(10);
    decoder.limit(10);
    assert_eq!(drain(&mut decoder, pings(1_000)), Ok(1_000));
}
