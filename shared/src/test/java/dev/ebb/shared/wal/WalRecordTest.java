package dev.ebb.shared.wal;

import static dev.ebb.shared.wal.GeneratedWal.Body.fields;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.wal.GeneratedWal.Body;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class WalRecordTest {
  private static final RelFileLocator TABLE = new RelFileLocator(1663, 5, 16384);
  private static final RelFileLocator INDEX = new RelFileLocator(1663, 5, 0xFFFF_FFF0);

  @ParameterizedTest
  @EnumSource(WalVersion.class)
  void allPartsAreFound(WalVersion version) throws WalException {
    byte[] image = GeneratedWal.filler(8000, 1);
    byte[] header = Body.all(fields(5).putShort((short) 8000).putShort((short) 96).put((byte) 1));
    WalRecord record =
        Records.read(
            version,
            new Body(10, 0x20 | 0x01)
                .xid(0x8000_0001)
                .block(0, 0x20, TABLE, 7, new byte[] {1, 2, 3})
                .block(1, 0x80 | 0x40 | 2, TABLE, 8, new byte[0])
                .block(32, 0x10 | 0x20 | 1, INDEX, -2, header, image, new byte[] {9})
                .origin(0xFFFE)
                .topLevelXid(77)
                .main(GeneratedWal.filler(300, 5)));

    assertThat(record.xid()).isEqualTo(0x8000_0001);
    assertThat(record.info()).isEqualTo(0x21);
    assertThat(record.operation()).isEqualTo(0x20);
    assertThat(record.name()).isEqualTo("UPDATE");
    assertThat(record.resourceManagerName()).isEqualTo("Heap");
    assertThat(record.replicationOrigin()).isEqualTo(0xFFFE);
    assertThat(record.topLevelXid()).isEqualTo(77);
    assertThat(record.blocks()).isEqualTo(3);
    assertThat(record.imageBytes()).isEqualTo(8000);
    assertThat(record.bytesWithoutImages()).isEqualTo(record.totalBytes() - 8000);

    WalBlock first = record.block(0);
    assertThat(first.relation()).isEqualTo(TABLE).hasToString("1663/5/16384");
    assertThat(first.fork()).isEqualTo(ForkName.MAIN);
    assertThat(first.blockNumber()).isEqualTo(7);
    assertThat(first.dataBytes()).isEqualTo(3);
    assertThat(first.data().get(2)).isEqualTo((byte) 3);
    assertThat(first.hasImage()).isFalse();
    assertThatThrownBy(() -> first.restoreImage(new byte[8192], 0))
        .isInstanceOf(IllegalStateException.class);

    WalBlock second = record.block(1);
    assertThat(second.relation()).isEqualTo(TABLE);
    assertThat(second.isOfSameRelation()).isTrue();
    assertThat(second.willInit()).isTrue();
    assertThat(second.fork()).hasToString("vm");

    WalBlock third = record.block(2);
    assertThat(third.id()).isEqualTo(32);
    assertThat(third.relation()).hasToString("1663/5/4294967280");
    assertThat(third.fork()).hasToString("fsm");
    assertThat(third.blockNumber()).isEqualTo(-2);
    assertThat(third.holeOffset()).isEqualTo(96);
    assertThat(third.holeBytes()).isEqualTo(192);
    assertThat(third.data().get(0)).isEqualTo((byte) 9);
    assertThat(third.image().remaining()).isEqualTo(8000);

    assertThat(record.mainBytes()).isEqualTo(300);
    assertThat(record.main().get(299)).isEqualTo(GeneratedWal.filler(300, 5)[299]);
    assertThat(record.mainLong(292))
        .isEqualTo(LittleEndian.bigInteger(GeneratedWal.filler(300, 5), 292));
    assertThatThrownBy(() -> record.mainInt(297)).isInstanceOf(WalException.class);
    assertThatThrownBy(() -> record.mainInt(-1)).isInstanceOf(WalException.class);
    assertThatThrownBy(() -> record.mainLong(Integer.MAX_VALUE)).isInstanceOf(WalException.class);
    assertThatThrownBy(() -> record.block(3)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void contentThatCannotBeIsToldOf() {
    assertWrong(new Body(10, 0).header(fields(1).put((byte) 33)), "unknown kind 33");
    assertWrong(new Body(10, 0).block(0, 0x80, TABLE, 1, new byte[0]), "which is none");
    assertWrong(
        new Body(10, 0).block(1, 0, TABLE, 1, new byte[0]).block(1, 0, TABLE, 2, new byte[0]),
        "block reference 1 behind 1");
    assertWrong(new Body(10, 0).block(0, 0, TABLE, 1, new byte[3]), "against its flags");
    assertWrong(new Body(10, 0).block(0, 0x20, TABLE, 1, new byte[0]), "against its flags");
    assertWrong(new Body(10, 0).block(0, 4, TABLE, 1, new byte[0]), "fork 4");
    assertWrong(new Body(10, 0).origin(1).origin(2), "two replication origins");
    assertWrong(new Body(10, 0).topLevelXid(1).topLevelXid(2), "two top-level");
    assertWrong(new Body(10, 0).header(fields(2).put((byte) 255).put((byte) 9)), "9 bytes");
    assertWrong(new Body(10, 0).header(fields(5).put((byte) 254).putInt(-1)), "4294967295 bytes");
    assertWrong(new Body(10, 0).header(fields(3).put((byte) 254)), "cut off");
    assertWrong(new Body(10, 0).header(fields(2).put((byte) 253)), "cut off");
    assertWrong(new Body(10, 0).header(fields(3).put((byte) 0)), "cut off");
    assertWrong(image(100, 0, 0, 0), "an image of 100");
    assertWrong(image(8192, 4, 1, 0), "an image of 8192");
    assertWrong(image(8000, 0, 1, 0), "an image of 8000");
    assertWrong(image(8000, 8100, 1, 0), "an image of 8000");
    assertWrong(image(9000, 10, 1, 0), "an image of 9000");
    assertWrong(image(8192, 0, 4, 0), "an image of 8192");
    assertWrong(image(0, 0, 4, 0), "an image of 0");
    assertWrong(image(100, 10, 5, 8190), "an image of 100");
  }

  private static Body image(int bytes, int holeOffset, int info, int holeBytes) {
    boolean compressedWithHole = info > 4;
    var header = fields(compressedWithHole ? 7 : 5);
    header.putShort((short) bytes).putShort((short) holeOffset).put((byte) info);
    if (compressedWithHole) {
      header.putShort((short) holeBytes);
    }
    return new Body(0, 0xB0)
        .block(0, 0x10, TABLE, 1, Body.all(header), new byte[bytes], new byte[0]);
  }

  private static void assertWrong(Body body, String message) {
    assertThatThrownBy(() -> Records.read(WalVersion.V17, body))
        .hasMessageContaining(message)
        .isInstanceOfSatisfying(
            WalException.class,
            e -> assertThat(e.problem()).isEqualTo(WalException.Problem.CONTENT));
  }

  @Test
  void namesAreThoseOfTheVersion() {
    assertName(WalVersion.V14, 4, 0x10, "Database", "DROP");
    assertName(WalVersion.V15, 4, 0x10, "Database", "CREATE_WAL_LOG");
    assertName(WalVersion.V14, 4, 0x20, "Database", "UNKNOWN (20)");
    assertName(WalVersion.V16, 9, 0x10, "Heap2", "PRUNE");
    assertName(WalVersion.V17, 9, 0x10, "Heap2", "PRUNE_ON_ACCESS");
    assertName(WalVersion.V18, 9, 0xD3, "Heap2", "MULTI_INSERT+INIT");
    assertName(WalVersion.V16, 0, 0xE0, "XLOG", "UNKNOWN (e0)");
    assertName(WalVersion.V17, 0, 0xE0, "XLOG", "CHECKPOINT_REDO");
    assertName(WalVersion.V18, 1, 0x80, "Transaction", "COMMIT");
    assertName(WalVersion.V18, 1, 0xF0, "Transaction", "UNKNOWN (f0)");
    assertName(WalVersion.V18, 10, 0xC0, "Heap", "HOT_UPDATE+INIT");
    assertName(WalVersion.V18, 10, 0x90, "Heap", "UNKNOWN (90)");
    assertName(WalVersion.V18, 20, 0x50, "Generic", "Generic");
    assertName(WalVersion.V18, 128, 0x00, "custom128", "UNKNOWN (0)");
    assertName(WalVersion.V18, 255, 0x10, "custom255", "UNKNOWN (10)");
    assertThat(ResourceManager.named("spgist")).isEqualTo(ResourceManager.SPGIST);
    assertThat(ResourceManager.named("custom130")).isNull();
    assertThat(ResourceManager.of(21)).isEqualTo(ResourceManager.LOGICAL_MESSAGE);
    assertThat(ResourceManager.of(22)).isNull();
  }

  private static void assertName(
      WalVersion version, int manager, int info, String managerName, String name) {
    assertThat(ResourceManager.nameOf(manager)).isEqualTo(managerName);
    assertThat(ResourceManager.identify(version, manager, info)).isEqualTo(name);
  }
}
