package dev.ebb.shared.wal;

import static dev.ebb.shared.wal.GeneratedWal.Body.fields;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.GeneratedWal.Body;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class TransactionTest {
  private static final Instant TIME = Instant.parse("2026-03-04T05:06:07.123456Z");
  private static final Instant ORIGIN_TIME = Instant.parse("1999-12-31T23:59:59.999999Z");
  private static final RelFileLocator DROPPED = new RelFileLocator(1663, 5, 16385);

  private static long micros(Instant time) {
    return (time.getEpochSecond() - 946_684_800) * 1_000_000 + time.getNano() / 1000;
  }

  private static byte[] main(ByteBuffer data) {
    return Arrays.copyOf(Body.all(data), data.position());
  }

  private static final List<Invalidation> INVALIDATIONS =
      List.of(
          new Invalidation(7, 70),
          new Invalidation(-2, 16385),
          new Invalidation(-4, 5),
          new Invalidation(-5, -3));

  private static void putInvalidations(ByteBuffer data) {
    data.putInt(7).putInt(5).putInt(70).putInt(0);
    data.putInt(0xFFFFFF_FE).putInt(5).putInt(16385).putInt(0);
    // Only the first byte says what it is.
    data.putInt(0x123456_FC).putInt(5).putInt(6).putInt(0);
    data.putInt(0xFB).putInt(5).putInt(-3).putInt(0);
  }

  private static DroppedStatistics statistics(WalVersion version) {
    return new DroppedStatistics(1, 5, version == WalVersion.V18 ? 0x2_FFFF_FFF0L : 0xFFFF_FFF0L);
  }

  private static ByteBuffer full(WalVersion version, int flags) {
    ByteBuffer data = fields(400).putLong(micros(TIME)).putInt(flags);
    data.putInt(5).putInt(1663);
    data.putInt(2).putInt(701).putInt(-2);
    data.putInt(1).putInt(1663).putInt(5).putInt(16385);
    if ((flags & 0x100) != 0) {
      data.putInt(3);
      for (int i = 0; i < 3; i++) {
        data.putInt(1).putInt(5).putInt(-16);
        if (version == WalVersion.V18) {
          data.putInt(2);
        }
      }
    }
    if ((flags & 8) != 0) {
      data.putInt(4);
      putInvalidations(data);
    }
    data.putInt(700);
    if ((flags & 0x80) != 0) {
      data.put("a gid\0".getBytes(StandardCharsets.US_ASCII));
    }
    return data.putLong(0x1_0000_2000L).putLong(micros(ORIGIN_TIME));
  }

  @ParameterizedTest
  @EnumSource(WalVersion.class)
  void allThatAnEndSaysIsRead(WalVersion version) throws WalException {
    int statistics = version == WalVersion.V14 ? 0 : 0x100;
    int flags = 0x6000_0000 | 1 | 2 | 4 | 8 | 16 | 32 | 0x80 | statistics;
    WalRecord record =
        Records.read(version, new Body(1, 0xB0).xid(9).origin(3).main(main(full(version, flags))));
    assertThat(TransactionEnd.is(record)).isTrue();
    assertThat(TransactionEnd.timeOf(record)).isEqualTo(TIME);
    assertThat(record.name()).isEqualTo("COMMIT_PREPARED");
    assertThat(TransactionEnd.of(record))
        .isEqualTo(
            new TransactionEnd(
                true,
                700,
                TIME,
                5,
                1663,
                List.of(701, -2),
                List.of(DROPPED),
                version == WalVersion.V14 ? List.of() : Collections.nCopies(3, statistics(version)),
                INVALIDATIONS,
                true,
                true,
                false,
                true,
                "a gid",
                Optional.of(new TransactionEnd.Origin(3, new Lsn(0x1_0000_2000L), ORIGIN_TIME))));

    flags &= ~(8 | 0x80);
    TransactionEnd abort =
        TransactionEnd.of(
            Records.read(version, new Body(1, 0xC0).main(main(full(version, flags)))));
    assertThat(abort.committed()).isFalse();
    assertThat(abort.prepared()).isTrue();
    assertThat(abort.gid()).isEmpty();
    assertThat(abort.origin()).isPresent();
  }

  @Test
  void shortestEndHasATimeOnly() throws WalException {
    WalRecord record =
        Records.read(
            WalVersion.V18, new Body(1, 0x20).xid(44).main(main(fields(8).putLong(micros(TIME)))));
    TransactionEnd end = TransactionEnd.of(record);
    assertThat(end.committed()).isFalse();
    assertThat(end.xid()).isEqualTo(44);
    assertThat(end.time()).isEqualTo(TIME);
    assertThat(end.subtransactions()).isEmpty();
    assertThat(end.origin()).isEmpty();
    WalRecord other = Records.read(WalVersion.V18, new Body(1, 0x60).main(new byte[8]));
    assertThat(TransactionEnd.is(other)).isFalse();
    assertThatThrownBy(() -> TransactionEnd.of(other)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void anyCutAndAnyCountIsToldOf() throws WalException {
    byte[] whole = main(full(WalVersion.V18, 1 | 2 | 4 | 8 | 16 | 32 | 0x80 | 0x100));
    for (int length = 0; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      WalRecord record = Records.read(WalVersion.V18, new Body(1, 0x80).main(cut));
      assertThatThrownBy(() -> TransactionEnd.of(record)).isInstanceOf(WalException.class);
    }
    for (int count : new int[] {-1, Integer.MAX_VALUE, 1 << 28, 100}) {
      byte[] wrong = whole.clone();
      ByteBuffer.wrap(wrong).order(java.nio.ByteOrder.LITTLE_ENDIAN).putInt(20, count);
      WalRecord record = Records.read(WalVersion.V18, new Body(1, 0x80).main(wrong));
      assertThatThrownBy(() -> TransactionEnd.of(record)).hasMessageContaining("cut off");
    }
  }

  @ParameterizedTest
  @EnumSource(WalVersion.class)
  void preparedTransactionIsRead(WalVersion version) throws WalException {
    ByteBuffer data = fields(400).putInt(0x57F94534).putInt(999).putInt(700).putInt(5);
    data.putLong(micros(TIME)).putInt(10).putInt(3).putInt(1).putInt(2);
    if (version != WalVersion.V14) {
      data.putInt(0).putInt(1);
    }
    data.putInt(4).put((byte) 1).put((byte) 0).putShort((short) 4);
    data.position((data.position() + 7) & -8);
    data.putLong(77).putLong(micros(ORIGIN_TIME));
    data.put("gid\0".getBytes(StandardCharsets.US_ASCII)).putInt(0);
    data.putInt(701).putInt(702).putInt(703).putInt(0);
    data.putInt(1663).putInt(5).putInt(16385).putInt(0);
    data.putInt(1).putInt(2).putInt(3).putInt(4).putInt(5).putInt(6);
    if (version != WalVersion.V14) {
      data.putInt(1).putInt(5).putInt(-16);
      data.putInt(version == WalVersion.V18 ? 2 : 0);
    }
    putInvalidations(data);
    WalRecord record = Records.read(version, new Body(1, 0x10).origin(3).main(main(data)));
    assertThat(PreparedTransaction.is(record)).isTrue();
    assertThat(PreparedTransaction.of(record))
        .isEqualTo(
            new PreparedTransaction(
                700,
                5,
                10,
                TIME,
                "gid",
                List.of(701, 702, 703),
                List.of(DROPPED),
                List.of(new RelFileLocator(1, 2, 3), new RelFileLocator(4, 5, 6)),
                List.of(),
                version == WalVersion.V14 ? List.of() : List.of(statistics(version)),
                INVALIDATIONS,
                true,
                Optional.of(new TransactionEnd.Origin(3, new Lsn(77), ORIGIN_TIME))));
    for (int length = 0; length < data.position(); length += 3) {
      byte[] cut = Arrays.copyOf(Body.all(data), length);
      WalRecord part = Records.read(version, new Body(1, 0x10).main(cut));
      assertThatThrownBy(() -> PreparedTransaction.of(part)).isInstanceOf(WalException.class);
    }
  }
}
