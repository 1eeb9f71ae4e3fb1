package dev.ebb.shared.wal;

import static dev.ebb.shared.wal.GeneratedWal.Body.fields;
import static dev.ebb.shared.wal.WalVersion.V14;
import static dev.ebb.shared.wal.WalVersion.V15;
import static dev.ebb.shared.wal.WalVersion.V16;
import static dev.ebb.shared.wal.WalVersion.V17;
import static dev.ebb.shared.wal.WalVersion.V18;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.wal.GeneratedWal.Body;
import dev.ebb.shared.wal.text.RecordText;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Descriptions that differ from version to version, of records that loads seldom write, and of
 * damaged ones. What loads write is compared with {@code pg_waldump} in {@link WaldumpIT} and with
 * the server in {@link WalInspectIT}.
 */
final class RecordTextTest {
  private static final RelFileLocator RELATION = new RelFileLocator(1663, 5, 16384);

  private static String text(WalVersion version, int manager, int info, ByteBuffer main)
      throws WalException {
    return RecordText.describe(Records.read(version, new Body(manager, info).main(Body.all(main))));
  }

  /** On 14 and 15, on 16, on 17 and 18. */
  private static void assertTexts(
      int manager, int info, ByteBuffer main, String old, String of16, String since17)
      throws WalException {
    for (WalVersion version : WalVersion.values()) {
      String expected = version.isAtLeast(V17) ? since17 : version.isAtLeast(V16) ? of16 : old;
      assertThat(text(version, manager, info, main)).as("on %s", version).isEqualTo(expected);
    }
  }

  @Test
  void horizonsAreNamedAndSaidToBeOfCatalogsAsTheVersionDoes() throws WalException {
    ByteBuffer reuse = fields(32).putInt(1663).putInt(5).putInt(7).putInt(9).putInt(800).putInt(2);
    reuse.put((byte) 1);
    assertTexts(
        11,
        0xD0,
        reuse,
        "rel 1663/5/7; latestRemovedXid 2:800",
        "rel: 1663/5/7, snapshotConflictHorizon: 2:800",
        "rel: 1663/5/7, snapshotConflictHorizon: 2:800, isCatalogRel: T");
    assertTexts(
        14,
        0x20,
        reuse,
        "rel 1663/5/7; blk 9; latestRemovedXid 2:800",
        "rel 1663/5/7; blk 9; snapshotConflictHorizon 2:800",
        "rel 1663/5/7; blk 9; snapshotConflictHorizon 2:800, isCatalogRel T");
    ByteBuffer delete = fields(10).putInt(-2).putShort((short) 3);
    assertTexts(
        14,
        0x10,
        delete,
        "delete: latestRemovedXid 4294967294, nitems: 3",
        "delete: snapshotConflictHorizon 4294967294, nitems: 3",
        "delete: snapshotConflictHorizon 4294967294, nitems: 3, isCatalogRel F");
    assertTexts(
        12,
        0xC0,
        delete,
        "ntuples 3, latestRemovedXid 4294967294",
        "ntuples 3, snapshotConflictHorizon 4294967294",
        "ntuples 3, snapshotConflictHorizon 4294967294, isCatalogRel F");
    assertTexts(
        16,
        0x80,
        fields(9).putShort((short) 1).putShort((short) 2).putInt(3),
        "ntoplaceholder: 1, firstplaceholder: 2, newestredirectxid: 3",
        "ntoplaceholder: 1, firstplaceholder: 2, snapshotConflictHorizon: 3",
        "ntoplaceholder: 1, firstplaceholder: 2, snapshotConflictHorizon: 3, isCatalogRel: F");
  }

  @Test
  void pageNumbersAreAsWideAsTheVersionHasThem() throws WalException {
    ByteBuffer page = fields(16).putInt(7).putInt(1).putInt(3);
    assertTexts(
        3,
        0x10,
        page,
        "page 7; oldestXact 1",
        "page 7; oldestXact 1",
        "page 4294967303; oldestXact 3");
    assertTexts(
        18,
        0x10,
        page,
        "pageno 7, oldestXid 1",
        "pageno 7, oldestXid 1",
        "pageno 4294967303, oldestXid 3");
    assertTexts(6, 0x00, page, "7", "7", "4294967303");
  }

  @Test
  void levelsOfWalAreToldSince17() throws WalException {
    ByteBuffer end = fields(24).putLong(1_000_001).putInt(2).putInt(1).putInt(2);
    String time = "tli 2; prev tli 1; time 2000-01-01 00:00:01.000001 UTC";
    assertTexts(0, 0x90, end, time, time, time + "; wal_level logical");
    assertThat(text(V18, 0, 0xE0, fields(4).putInt(1))).isEqualTo("wal_level replica");
    assertThat(text(V18, 0, 0xE0, fields(4).putInt(3))).isEqualTo("wal_level ?");
    assertThat(text(V16, 0, 0xE0, fields(4).putInt(1))).isEmpty();
  }

  @Test
  void databasesAreMadeInTwoWaysSince15() throws WalException {
    ByteBuffer main = fields(16).putInt(5).putInt(1).putInt(1663).putInt(0);
    assertThat(text(V14, 4, 0x10, main)).isEqualTo("dir 1663/5");
    assertThat(text(V15, 4, 0x10, main)).isEqualTo("create dir 1/5");
    assertThat(text(V15, 4, 0x20, main)).isEqualTo("dir 1663/5");
    assertThat(text(V14, 4, 0x20, main)).isEmpty();
  }

  @Test
  void invalidationsOfAnUpdateInPlaceAreToldSince18() throws WalException {
    ByteBuffer main = fields(52).putInt(4).putInt(5).putInt(1663).putInt(1).putInt(2);
    main.putInt(0xFE).putInt(5).putInt(1259).putInt(0).putInt(0xFA).putInt(5).putInt(99);
    assertThat(text(V17, 10, 0x70, main)).isEqualTo("off: 4");
    assertThat(text(V18, 10, 0x70, main))
        .isEqualTo(
            "off: 4; relcache init file inval dbid 5 tsid 1663; inval msgs: relcache 1259 relsync 99");
  }

  @Test
  void originsOfAbortsAreToldSince15() throws WalException {
    ByteBuffer main = fields(32).putLong(0).putInt(1 << 5).putLong(0x1_0000_0002L).putLong(0);
    for (WalVersion version : new WalVersion[] {V14, V15}) {
      WalRecord record = Records.read(version, new Body(1, 0xA0).origin(3).main(Body.all(main)));
      assertThat(RecordText.describe(record))
          .isEqualTo(
              "2000-01-01 00:00:00.000000 UTC"
                  + (version == V14
                      ? ""
                      : "; origin: node 3, lsn 1/2, at 2000-01-01 00:00:00.000000 UTC"));
    }
  }

  @ParameterizedTest
  @EnumSource(WalVersion.class)
  void filesOfTablespacesAreNamedByTheVersion(WalVersion version) throws WalException {
    ByteBuffer main = fields(16).putInt(16400).putInt(5).putInt(7).putInt(2);
    assertThat(text(version, 2, 0x10, main))
        .matches("pg_tblspc/16400/PG_" + version.major() + "_20\\d{7}/5/7_vm");
    assertThat(text(version, 2, 0x10, main.putInt(0, 1664).putInt(12, 0))).isEqualTo("global/7");
    assertThat(text(version, 2, 0x10, main.putInt(12, 4))).endsWith("a fork 4)");
  }

  @Test
  void messageIsShownAsBytesAndAnExtensionByItsNumber() throws WalException {
    ByteBuffer main = fields(30).putInt(5).putInt(1).putLong(3).putLong(3);
    main.put("pä".getBytes(StandardCharsets.UTF_8), 0, 2).put((byte) 0);
    main.put(23, (byte) 0).put(24, (byte) 'p').put(25, (byte) 'q').put(26, (byte) 0);
    main.put(27, (byte) 0xAB).put(28, (byte) 0).put(29, (byte) 9);
    assertThat(text(V18, 21, 0, main))
        .isEqualTo("transactional, prefix \"pq\"; payload (3 bytes): AB 00 09");
    assertThat(text(V15, 130, 0x20, fields(1))).isEqualTo("rmid: 130");
  }

  @Test
  void realNumbersAreThoseOfC() throws WalException {
    double[] numbers = {0, 1, 100_000, 1_000_000, 1234567, 0.0001, 0.00001, -2.5, 1e300};
    assertThat(
            Arrays.stream(numbers)
                .boxed()
                .flatMap(number -> {
                  try {
                    return Stream.of(text(V18, 12, 0xB0, fields(8).putDouble(number)));
                  } catch (WalException e) {
                    throw new AssertionError(e);
                  }
                }))
        .map(text -> text.substring("ntuples ".length()))
        .containsExactly(
            "0", "1", "100000", "1e+06", "1.23457e+06", "0.0001", "1e-05", "-2.5", "1e+300");
  }

  @Test
  void whatCannotBeReadIsToldOfBehindWhatCan() throws WalException {
    assertThat(text(V18, 10, 0x10, fields(5).putInt(7)))
        .startsWith("xmax: 7, off: ")
        .contains("(WAL at ")
        .endsWith("data of 5 bytes ends before byte 6)");
    WalRecord deleted =
        Records.read(
            V18,
            new Body(11, 0xC0)
                .main(new byte[] {9, 0, 0, 0})
                .block(0, 0x20, RELATION, 1, new byte[6]));
    assertThat(RecordText.line(deleted))
        .contains("ndeleted: 9, nupdated: 0, deleted: ")
        .contains("a list of 9 that is cut off)")
        .endsWith(", blkref #0: rel 1663/5/16384 blk 1");
  }
}
