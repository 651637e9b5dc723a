/** The SHA extensions (FIPS 180-4; SDM vol. 2: SHA1RNDS4 to SHA256MSG2). Lane 3 is the manual's first word of SHA-1. */

// @ts-ignore: decorator
@inline
function lane(a: v128, index: u32): u32 {
  if (index == 0) return <u32>i32x4.extract_lane(a, 0);
  if (index == 1) return <u32>i32x4.extract_lane(a, 1);
  if (index == 2) return <u32>i32x4.extract_lane(a, 2);
  return <u32>i32x4.extract_lane(a, 3);
}

/** The logical function of rounds 0–19, 20–39, 40–59, 60–79. */
function sha1Function(kind: u32, b: u32, c: u32, d: u32): u32 {
  if (kind == 0) return (b & c) ^ (~b & d);
  if (kind == 2) return (b & c) ^ (b & d) ^ (c & d);
  return b ^ c ^ d;
}

export function sha1rnds4(a1: v128, b1: v128, control: u32): v128 {
  const kind = control & 3;
  const constant: u32 = kind == 0 ? 0x5a827999 : kind == 1 ? 0x6ed9eba1 : kind == 2 ? 0x8f1bbcdc : 0xca62c1d6;
  let a = lane(a1, 3);
  let b = lane(a1, 2);
  let c = lane(a1, 1);
  let d = lane(a1, 0);
  let e: u32 = 0;
  for (let i: i32 = 3; i >= 0; i--) {
    const word = i == 3 ? lane(b1, 3) : i == 2 ? lane(b1, 2) : i == 1 ? lane(b1, 1) : lane(b1, 0);
    const next = sha1Function(kind, b, c, d) + rotl<u32>(a, 5) + word + e + constant;
    e = d;
    d = c;
    c = rotl<u32>(b, 30);
    b = a;
    a = next;
  }
  return i32x4(d, c, b, a);
}

export function sha1nexte(a: v128, b: v128): v128 {
  return i32x4(lane(b, 0), lane(b, 1), lane(b, 2), lane(b, 3) + rotl<u32>(lane(a, 3), 30));
}

export function sha1msg1(a: v128, b: v128): v128 {
  const w0 = lane(a, 3);
  const w1 = lane(a, 2);
  const w2 = lane(a, 1);
  const w3 = lane(a, 0);
  const w4 = lane(b, 3);
  const w5 = lane(b, 2);
  return i32x4(w5 ^ w3, w4 ^ w2, w3 ^ w1, w2 ^ w0);
}

export function sha1msg2(a: v128, b: v128): v128 {
  const w16 = rotl<u32>(lane(a, 3) ^ lane(b, 2), 1);
  const w17 = rotl<u32>(lane(a, 2) ^ lane(b, 1), 1);
  const w18 = rotl<u32>(lane(a, 1) ^ lane(b, 0), 1);
  const w19 = rotl<u32>(lane(a, 0) ^ w16, 1);
  return i32x4(w19, w18, w17, w16);
}

/** Two rounds: the constants and words in the low half of XMM0. */
export function sha256rnds2(a1: v128, b1: v128, words: v128): v128 {
  let a = lane(b1, 3);
  let b = lane(b1, 2);
  let e = lane(b1, 1);
  let f = lane(b1, 0);
  let c = lane(a1, 3);
  let d = lane(a1, 2);
  let g = lane(a1, 1);
  let h = lane(a1, 0);
  for (let i: u32 = 0; i < 2; i++) {
    const word = i == 0 ? lane(words, 0) : lane(words, 1);
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const sum1 = rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25);
    const sum0 = rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22);
    const first = choice + sum1 + word + h;
    const next = first + majority + sum0;
    h = g;
    g = f;
    f = e;
    e = first + d;
    d = c;
    c = b;
    b = a;
    a = next;
  }
  return i32x4(f, e, b, a);
}

// @ts-ignore: decorator
@inline
function small0(x: u32): u32 {
  return rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3);
}

// @ts-ignore: decorator
@inline
function small1(x: u32): u32 {
  return rotr<u32>(x, 17) ^ rotr<u32>(x, 19) ^ (x >> 10);
}

export function sha256msg1(a: v128, b: v128): v128 {
  return i32x4(
    lane(a, 0) + small0(lane(a, 1)),
    lane(a, 1) + small0(lane(a, 2)),
    lane(a, 2) + small0(lane(a, 3)),
    lane(a, 3) + small0(lane(b, 0)),
  );
}

export function sha256msg2(a: v128, b: v128): v128 {
  const w16 = lane(a, 0) + small1(lane(b, 2));
  const w17 = lane(a, 1) + small1(lane(b, 3));
  const w18 = lane(a, 2) + small1(w16);
  const w19 = lane(a, 3) + small1(w17);
  return i32x4(w16, w17, w18, w19);
}
