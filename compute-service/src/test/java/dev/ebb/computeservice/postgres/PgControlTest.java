package dev.ebb.computeservice.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalVersion;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

public final class PgControlTest {

  /** A file with what the WAL code looks at. */
  public static PgControl sample(PgControl.State state, Lsn checkpoint, int segmentBytes) {
    return sample(WalVersion.V18, state, checkpoint, segmentBytes);
  }

  /** The same, of another version. */
  public static PgControl sample(
      WalVersion version, PgControl.State state, Lsn checkpoint, int segmentBytes) {
    ByteBuffer file = ByteBuffer.allocate(8192).order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(0, 0x1122334455667788L);
    file.putInt(8, version.major() < 17 ? 1300 : version.major() * 100);
    file.putInt(
        12,
        switch (version) {
          case V14 -> 202107181;
          case V15 -> 202209061;
          case V16 -> 202307071;
          case V17 -> 202406281;
          case V18 -> 202506291;
        });
    file.putInt(16, 1);
    file.putLong(32, checkpoint.value());
    file.putLong(40, checkpoint.value());
    file.putInt(48, 1);
    file.putInt(216, 8192);
    file.putInt(224, 8192);
    file.putInt(228, segmentBytes);
    seal(file, version);
    return PgControl.parse(file.array()).withState(state);
  }

  private static void seal(ByteBuffer file, WalVersion version) {
    int end = version == WalVersion.V18 ? 292 : 288;
    var crc = new CRC32C();
    crc.update(file.duplicate().clear().limit(end));
    file.putInt(end, (int) crc.getValue());
  }

  private final PgControl control = sample(PgControl.State.SHUTDOWNED, new Lsn(0x2000028), 1 << 20);

  @Test
  void changesKeepEverythingElseAndTheCrcRight() {
    PgControl changed =
        control
            .withState(PgControl.State.IN_ARCHIVE_RECOVERY)
            .withSystemIdentifier(-2)
            .withMinRecoveryPoint(new Lsn(77), 1);
    PgControl again = PgControl.parse(changed.bytes());
    assertThat(again.state()).isEqualTo(PgControl.State.IN_ARCHIVE_RECOVERY);
    assertThat(again.systemIdentifier()).isEqualTo(-2);
    assertThat(again.minRecoveryPoint()).isEqualTo(new Lsn(77));
    assertThat(again.minRecoveryTimeline()).isEqualTo(1);
    assertThat(again.checkpoint()).isEqualTo(control.checkpoint());
    assertThat(control.state()).isEqualTo(PgControl.State.SHUTDOWNED);
  }

  @ParameterizedTest
  @EnumSource(WalVersion.class)
  void nonceIsReplaced(WalVersion version) {
    byte[] nonce = new byte[32];
    Arrays.fill(nonce, (byte) 5);
    PgControl of = sample(version, PgControl.State.SHUTDOWNED, new Lsn(0x2000028), 1 << 20);
    byte[] changed = of.withMockAuthenticationNonce(nonce).bytes();
    int at = version == WalVersion.V18 ? 257 : 256;
    assertThat(Arrays.copyOfRange(changed, at, at + 32)).isEqualTo(nonce);
    assertThat(PgControl.parse(changed).major()).isEqualTo(version);
  }

  @Test
  void everyFlippedByteIsFound() {
    for (int i = 0; i < 296; i++) {
      byte[] file = control.bytes();
      file[i] ^= 0x10;
      assertThatThrownBy(() -> PgControl.parse(file)).isInstanceOf(EbbException.class);
    }
  }

  @Test
  void truncatedFileIsCorrupt() {
    assertThatThrownBy(() -> PgControl.parse(new byte[100]))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("100 bytes");
  }

  @Test
  void otherVersionIsRefusedAsSuch() {
    ByteBuffer file = ByteBuffer.wrap(control.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    file.putInt(8, 1201);
    assertThatThrownBy(() -> PgControl.parse(file.array()))
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessageContaining("1201");
  }

  @Test
  void zeroedFileIsCorrupt() {
    assertThatThrownBy(() -> PgControl.parse(new byte[8192]))
        .isInstanceOf(EbbException.Corrupt.class);
  }

  @Test
  void unknownStateIsCorrupt() {
    ByteBuffer file = ByteBuffer.wrap(control.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    file.putInt(16, 7);
    seal(file, WalVersion.V18);
    assertThatThrownBy(() -> PgControl.parse(file.array()))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("unknown state 7");
  }
}
