package dev.ebb.shared.wal;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.text.RecordText;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * Damages WAL and reads it, again and again. Each time the reader must end, allocate no more than
 * the input explains, throw nothing but its own exception, and find the same whatever the pieces
 * are in which the input comes.
 */
final class WalFuzz {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** Of a reader, of what it tells, and of what the test notes. */
  private static final long ALLOWED_BYTES = 1 << 20;

  private static final int ALLOWED_BYTES_PER_BYTE = 60;

  private final byte[] wal;
  private final Lsn start;
  private final int segmentBytes;
  private final List<byte[]> records = new ArrayList<>();
  private final WalVersion version;
  private final byte[] page = new byte[8192];
  private long runs;
  private long found;
  private long failed;
  private long unpacked;
  private long ends;

  /**
   * With WAL that is right.
   *
   * @param start of a page
   */
  WalFuzz(byte[] wal, Lsn start, int segmentBytes) throws WalException {
    this.wal = wal;
    this.start = start;
    this.segmentBytes = segmentBytes;
    var reader = WalReader.seeking(WalOptions.ofSegments(segmentBytes), start, start);
    reader.feed(wal, 0, wal.length);
    WalVersion its = WalVersion.V18;
    while (reader.next() == WalReader.Step.RECORD) {
      byte[] record = new byte[reader.record().totalBytes()];
      reader.record().raw().get(record);
      its = reader.record().writtenBy();
      // Loads what unpacks images, which takes memory once.
      look(reader.record());
      if (record.length < 20_000) {
        records.add(record);
      }
    }
    version = its;
    assertThat(records).hasSizeGreaterThan(10);
  }

  /** Goes on for a while; says what was done. */
  String run(long seed, long millis) {
    var seeds = new Random(seed);
    long deadline = System.nanoTime() + millis * 1_000_000;
    while (System.nanoTime() < deadline) {
      long one = seeds.nextLong();
      try {
        once(new Random(one));
      } catch (RuntimeException | AssertionError | StackOverflowError | OutOfMemoryError e) {
        throw new AssertionError("fuzzing with the seed " + one + "L of " + version, e);
      }
    }
    return "%s: %d runs, %d records, %d images, %d ends, %d failures"
        .formatted(version, runs, found, unpacked, ends, failed);
  }

  /** One damaged input, read in two ways. */
  void once(Random random) {
    int offset = random.nextInt(wal.length / 8192) * 8192;
    int length = Math.min(wal.length - offset, random.nextInt(1, 100_000));
    byte[] input;
    Lsn at = start.plus(offset);
    if (random.nextInt(2) == 0) {
      input = damaged(random, Arrays.copyOfRange(wal, offset, offset + length));
    } else {
      // What is damaged has a right checksum, so that it gets through to what is inside.
      var written = new GeneratedWal(version, segmentBytes, at);
      while (written.end().minus(at) < length) {
        byte[] record = records.get(random.nextInt(records.size())).clone();
        if (random.nextInt(3) == 0) {
          record = damagedRecord(random, record);
        }
        if (record[17] == 0 && (record[16] & 0xF0) == 0x40) {
          record[16] = 0x20;
        }
        written.addSealed(record);
      }
      input = written.bytes();
      if (random.nextInt(4) == 0) {
        input = damaged(random, input);
      }
    }
    var options =
        new WalOptions(
            segmentBytes, version, random.nextBoolean() ? 8192 : 1 << 20, random.nextInt(4) == 0);
    Lsn from = random.nextInt(3) == 0 ? at.plus(random.nextInt(length)) : at;
    boolean seek = random.nextBoolean();
    long before = THREADS.getThreadAllocatedBytes(Thread.currentThread().threadId());
    List<String> whole = read(reader(options, seek, at, from), input, random, input.length);
    long allocated = THREADS.getThreadAllocatedBytes(Thread.currentThread().threadId()) - before;
    assertThat(allocated)
        .as("bytes allocated for an input of " + input.length)
        .isLessThan(ALLOWED_BYTES + (long) ALLOWED_BYTES_PER_BYTE * input.length);
    List<String> pieces =
        read(reader(options, seek, at, from), input, random, 1 + random.nextInt(9_000));
    assertThat(pieces).isEqualTo(whole);
    runs++;
  }

  private static WalReader reader(WalOptions options, boolean seek, Lsn at, Lsn from) {
    return seek ? WalReader.seeking(options, at, from) : WalReader.atRecord(options, at);
  }

  private byte[] damaged(Random random, byte[] input) {
    byte[] damaged = input;
    for (int i = random.nextInt(4); i >= 0; i--) {
      int at = random.nextInt(damaged.length);
      switch (random.nextInt(7)) {
        case 0 -> damaged[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> damaged = Arrays.copyOf(damaged, at + 1);
        case 2 -> {
          int part = Math.min(damaged.length - at, random.nextInt(9_000));
          System.arraycopy(wal, random.nextInt(wal.length - part), damaged, at, part);
        }
        case 3 -> {
          byte[] noise = new byte[Math.min(damaged.length - at, random.nextInt(300))];
          random.nextBytes(noise);
          System.arraycopy(noise, 0, damaged, at, noise.length);
        }
        case 4 -> Arrays.fill(damaged, at, damaged.length, (byte) 0);
        case 5 ->
            damaged[
                    at / 8192 * 8192
                        + random.nextInt(Math.min(40, damaged.length - at / 8192 * 8192))] ^=
                (byte) (1 << random.nextInt(8));
        default -> {
          int word = at & -4;
          for (int j = 0; j < 4 && word + j < damaged.length; j++) {
            damaged[word + j] = (byte) (random.nextBoolean() ? 0xFF : 0x3F);
          }
        }
      }
    }
    return damaged;
  }

  private static byte[] damagedRecord(Random random, byte[] record) {
    byte[] damaged = record;
    if (random.nextInt(4) == 0) {
      damaged = Arrays.copyOf(damaged, 24 + random.nextInt(damaged.length));
    }
    for (int i = random.nextInt(3); i >= 0 && damaged.length > 24; i--) {
      // Mostly the headers, which are at the front.
      int at =
          24
              + random.nextInt(
                  random.nextInt(3) == 0 ? damaged.length - 24 : Math.min(60, damaged.length - 24));
      damaged[at] =
          random.nextBoolean()
              ? (byte) random.nextInt()
              : (byte) (damaged[at] ^ 1 << random.nextInt(8));
    }
    return damaged;
  }

  private List<String> read(WalReader reader, byte[] input, Random random, int piece) {
    List<String> told = new ArrayList<>();
    int at = 0;
    long steps = 0;
    try {
      while (true) {
        assertThat(++steps).isLessThan(10L + input.length * 2L);
        switch (reader.next()) {
          case RECORD -> {
            reader.record().takeApart();
            told.add(look(reader.record()));
          }
          case ZEROES -> {
            told.add("zeroes, given up " + reader.overwritten() + ", from " + reader.rewind());
            return told;
          }
          case MORE -> {
            if (at == input.length) {
              told.add("end " + reader.wanted() + ", unfinished " + reader.unfinished());
              return told;
            }
            int most = random.nextInt(4) == 0 ? 1 + random.nextInt(piece) : piece;
            int part = Math.min(most, input.length - at);
            reader.feed(input, at, part);
            at += part;
          }
        }
      }
    } catch (WalException e) {
      failed++;
      told.add(e.toString());
      assertThat(e).hasMessageContaining("WAL at " + e.at() + ": ");
      return told;
    }
  }

  /** Looks at all of a record. */
  private String look(WalRecord record) {
    found++;
    String line = RecordText.line(record);
    // Three characters for each byte of a message, and a number's digits and its comma.
    assertThat(line.length()).isLessThan(1_000 + 6 * record.totalBytes());
    long sum =
        line.hashCode()
            + record.xid()
            + record.start().value()
            + record.end().value()
            + record.imageBytes();
    sum += record.name().hashCode() + record.resourceManagerName().hashCode();
    for (int i = 0; i < record.blocks(); i++) {
      WalBlock block = record.block(i);
      sum = sum * 31 + block.blockNumber() + block.relation().hashCode() + block.fork().number();
      try {
        for (var data = block.data(); data.hasRemaining(); ) {
          sum = sum * 31 + data.get();
        }
        if (block.hasImage()) {
          block.restoreImage(page, 0);
          unpacked++;
          sum = sum * 31 + Arrays.hashCode(page);
        }
      } catch (WalException e) {
        sum = sum * 31 + e.toString().hashCode();
      }
    }
    try {
      for (var main = record.main(); main.hasRemaining(); ) {
        sum = sum * 31 + main.get();
      }
      if (TransactionEnd.is(record)) {
        ends++;
        sum = sum * 31 + TransactionEnd.of(record).hashCode();
      }
      if (PreparedTransaction.is(record)) {
        sum = sum * 31 + PreparedTransaction.of(record).hashCode();
      }
    } catch (WalException e) {
      sum = sum * 31 + e.toString().hashCode();
    }
    return record.start() + " " + sum;
  }
}
