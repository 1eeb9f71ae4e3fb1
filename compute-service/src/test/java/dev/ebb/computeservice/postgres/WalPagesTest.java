package dev.ebb.computeservice.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalVersion;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class WalPagesTest {
  private static final int SEGMENT = 1 << 20;
  private static final Lsn START = new Lsn(5L * SEGMENT);
  private static final OsUser SELF = new OsUser("self", 0, 0, false);

  @TempDir Path first;
  @TempDir Path second;

  private final PgControl control =
      PgControlTest.sample(PgControl.State.SHUTDOWNED, START.plus(40), SEGMENT);

  private PgControl stoppedAt(Lsn checkpoint) {
    return PgControlTest.sample(PgControl.State.SHUTDOWNED, checkpoint, SEGMENT);
  }

  private void lay(Path directory, WalWriter wal, PgControl identity) throws IOException {
    try (WalLayer layer = WalPages.layLog(directory, wal.start, identity, SELF)) {
      layer.append(wal.bytes, 0, (int) wal.end().minus(wal.start));
      layer.finish();
    }
  }

  @Test
  void checkpointWithinPageGivesFirstPageAndItsOwn() throws IOException {
    var wal = new WalWriter(START, SEGMENT, control);
    wal.add(10, 0, 30_000);
    Lsn checkpoint = wal.add(0, 0, 90);
    lay(first, wal, control);
    WalPages.CleanStop stop = WalPages.cleanStop(first, stoppedAt(checkpoint));
    assertThat(stop.endLsn()).isEqualTo(wal.end());
    assertThat(stop.pieces()).hasSize(2);
    assertThat(stop.pieces().get(0).start()).isEqualTo(START);
    assertThat(stop.pieces().get(0).bytes()).hasSize(8192);
    assertThat(stop.pieces().get(1).start()).isEqualTo(WalSegments.pageStart(checkpoint));
  }

  @ParameterizedTest
  @EnumSource(WalVersion.class)
  void pagesAreThoseOfTheControlFilesVersion(WalVersion version) throws IOException {
    PgControl of = PgControlTest.sample(version, PgControl.State.SHUTDOWNED, START, SEGMENT);
    var wal = new WalWriter(START, SEGMENT, of);
    wal.add(10, 0, 30_000);
    Lsn checkpoint = wal.add(0, 0, 90);
    lay(first, wal, of);
    PgControl stopped =
        PgControlTest.sample(version, PgControl.State.SHUTDOWNED, checkpoint, SEGMENT);
    assertThat(WalPages.cleanStop(first, stopped).endLsn()).isEqualTo(wal.end());

    var other = version == WalVersion.V18 ? WalVersion.V14 : WalVersion.V18;
    PgControl foreign =
        PgControlTest.sample(other, PgControl.State.SHUTDOWNED, checkpoint, SEGMENT);
    assertThatThrownBy(() -> WalPages.cleanStop(first, foreign))
        .isInstanceOf(EbbException.Corrupt.class);
  }

  @Test
  void checkpointAcrossPagesGivesBothAndTheirEnd() throws IOException {
    var wal = new WalWriter(START, SEGMENT, control);
    // Ends so that the next record has 24 bytes of a page left and the rest behind its header.
    wal.add(10, 0, 16_384 - 40 - 24 - 24 - 24);
    Lsn checkpoint = wal.add(0, 0, 90);
    assertThat(WalSegments.offsetInPage(checkpoint)).isBetween(8100, 8191);
    lay(first, wal, control);
    WalPages.CleanStop stop = WalPages.cleanStop(first, stoppedAt(checkpoint));
    assertThat(stop.endLsn()).isEqualTo(wal.end());
    assertThat(stop.pieces()).hasSize(1);
    assertThat(stop.pieces().getFirst().bytes()).hasSize(3 * 8192);
  }

  @Test
  void checkpointAcrossSegmentsGivesPagesOfBoth() throws IOException {
    var wal = new WalWriter(START, 2 * SEGMENT, control);
    fillTo(wal, SEGMENT - 56);
    Lsn checkpoint = wal.add(0, 0, 90);
    assertThat(wal.end()).isGreaterThan(START.plus(SEGMENT));
    lay(first, wal, control);
    WalPages.CleanStop stop = WalPages.cleanStop(first, stoppedAt(checkpoint));
    assertThat(stop.endLsn()).isEqualTo(wal.end());
    assertThat(stop.pieces())
        .extracting(p -> p.start().minus(START), p -> p.bytes().length)
        .containsExactly(
            org.assertj.core.groups.Tuple.tuple(0L, 8192),
            org.assertj.core.groups.Tuple.tuple(SEGMENT - 8192L, 2 * 8192));

    WalPages.layInto(second, stop.pieces(), stoppedAt(checkpoint), SELF);
    assertThat(WalPages.cleanStop(second, stoppedAt(checkpoint)).endLsn()).isEqualTo(wal.end());
    try (var files = Files.list(second)) {
      assertThat(files.map(f -> f.toFile().length()))
          .containsExactly((long) SEGMENT, (long) SEGMENT);
    }
  }

  @Test
  void logThatEndsAtSegmentBoundaryLeavesNoFurtherFile() throws IOException {
    var wal = new WalWriter(START, 2 * SEGMENT, control);
    fillTo(wal, SEGMENT - 120);
    Lsn checkpoint = wal.add(0, 0, 96);
    assertThat(wal.end()).isEqualTo(START.plus(SEGMENT));
    lay(first, wal, control);
    assertThat(WalPages.cleanStop(first, stoppedAt(checkpoint)).endLsn()).isEqualTo(wal.end());
    try (var files = Files.list(first)) {
      assertThat(files.map(f -> f.getFileName().toString()))
          .containsExactly("000000010000000000000005");
    }
  }

  @Test
  void whatLiesBehindTheEndIsLeftOut() throws IOException {
    var wal = new WalWriter(START, SEGMENT, control);
    Lsn checkpoint = wal.add(0, 0, 90);
    Arrays.fill(wal.bytes, (int) wal.end().minus(START), 9000, (byte) 7);
    try (WalLayer layer = WalPages.layLog(first, START, control, SELF)) {
      layer.append(wal.bytes, 0, 9000);
    }
    byte[] page = WalPages.cleanStop(first, stoppedAt(checkpoint)).pieces().getFirst().bytes();
    assertThat(Arrays.copyOfRange(page, (int) wal.end().minus(START), 8192)).containsOnly(0);
  }

  @Test
  void checkpointThatIsNotThereIsCorrupt() throws IOException {
    var wal = new WalWriter(START, SEGMENT, control);
    Lsn other = wal.add(10, 0, 90);
    Lsn online = wal.add(0, 0x10, 90);
    lay(first, wal, control);
    for (Lsn wrong : List.of(other, online, wal.end(), START.plus(9L * SEGMENT))) {
      assertThatThrownBy(() -> WalPages.cleanStop(first, stoppedAt(wrong)))
          .isInstanceOf(EbbException.Corrupt.class)
          .hasMessageContaining("no intact shutdown checkpoint at " + wrong);
    }
  }

  @Test
  void clusterInProductionHasNoCleanStop() {
    PgControl running = stoppedAt(START).withState(PgControl.State.IN_PRODUCTION);
    assertThatThrownBy(() -> WalPages.cleanStop(first, running))
        .isInstanceOf(EbbException.Invalid.class);
  }

  @Test
  void anyChunksGiveTheSameFilesWithTheOwnIdentifier() throws IOException {
    var wal = new WalWriter(START, 3 * SEGMENT, control);
    fillTo(wal, 2 * SEGMENT + 100_000);
    PgControl own = control.withSystemIdentifier(0x0A0B0C0D0E0F1011L);
    lay(first, wal, own);
    try (WalLayer layer = WalPages.layLog(second, START, own, SELF)) {
      int length = (int) wal.end().minus(START);
      int chunk = 1;
      for (int at = 0; at < length; at += chunk) {
        chunk = Math.min(length - at, at % (SEGMENT / 2) < 64 ? 1 : 7001);
        layer.append(wal.bytes, at, chunk);
      }
      assertThat(layer.finish()).isEqualTo(wal.end());
    }
    for (int n = 5; n <= 7; n++) {
      String name = String.format("00000001000000000000%04X", n);
      byte[] content = Files.readAllBytes(first.resolve(name));
      assertThat(content).hasSize(SEGMENT).isEqualTo(Files.readAllBytes(second.resolve(name)));
      assertThat(ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN).getLong(24))
          .isEqualTo(own.systemIdentifier());
    }
    assertThat(WalChain.end(second, START, Lsn.INVALID, own)).isEqualTo(wal.end());
  }

  @Test
  void logFromTheMiddleGetsHeadersBeforeIt() throws IOException {
    var wal = new WalWriter(START, SEGMENT, control);
    fillTo(wal, 50_000);
    Lsn middle = wal.add(10, 0, 20_000);
    wal.add(10, 0, 20_000);
    try (WalLayer layer = WalPages.layLog(first, middle, control, SELF)) {
      int from = (int) middle.minus(START);
      layer.append(wal.bytes, from, (int) wal.end().minus(middle));
    }
    assertThat(WalChain.end(first, middle, Lsn.INVALID, control)).isEqualTo(wal.end());
    byte[] file = Files.readAllBytes(first.resolve("000000010000000000000005"));
    assertThat(WalPageHeader.isOf(file, START, WalVersion.V18)).isTrue();
    assertThat(file[2] & 2).as("a long header").isEqualTo(2);
  }

  @Test
  void whatWasBehindTheLogBeforeIsGone() throws IOException {
    var wal = new WalWriter(START, SEGMENT, control);
    fillTo(wal, 50_000);
    lay(first, wal, control);
    Lsn end = wal.end();
    fillTo(wal, 90_000);
    lay(second, wal, control);
    try (WalLayer layer = WalPages.layLog(second, end, control, SELF)) {
      layer.finish();
    }
    String name = "000000010000000000000005";
    assertThat(Files.readAllBytes(second.resolve(name)))
        .isEqualTo(Files.readAllBytes(first.resolve(name)));
  }

  @Test
  void recordsThatAreNotLinkedEndTheChain() throws IOException {
    var wal = new WalWriter(START, SEGMENT, control);
    Lsn one = wal.add(10, 0, 100);
    wal.add(10, 0, 100);
    Lsn end = wal.end();
    // A record of an older log at the very place, intact in itself.
    var stranger = new WalWriter(START, SEGMENT, control);
    stranger.add(10, 0, 300 - 24 + 4);
    Lsn theirs = stranger.add(10, 0, 100);
    int from = (int) theirs.minus(START);
    System.arraycopy(stranger.bytes, from, wal.bytes, (int) end.minus(START), 128);
    try (WalLayer layer = WalPages.layLog(first, START, control, SELF)) {
      layer.append(wal.bytes, 0, SEGMENT);
    }
    assertThat(WalChain.end(first, one, Lsn.INVALID, control)).isEqualTo(end);
  }

  @Test
  void switchRecordEndsWithItsSegment() throws IOException {
    var wal = new WalWriter(START, SEGMENT, control);
    wal.add(0, 0x40, 0);
    lay(first, wal, control);
    assertThat(WalChain.end(first, START, Lsn.INVALID, control)).isEqualTo(START.plus(SEGMENT));
  }

  /** Small records up to an offset, a multiple of 8. */
  private static void fillTo(WalWriter wal, int offset) {
    while (true) {
      long left = offset - wal.end().minus(START);
      if (left <= 0) {
        return;
      }
      // A page boundary in between takes a header's bytes.
      int room = 8192 - (int) (wal.end().value() % 8192);
      int body = (int) Math.min(left, Math.min(room, 800)) - 24;
      wal.add(10, 0, body < 0 ? 0 : body);
    }
  }
}
