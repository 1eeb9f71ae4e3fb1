package dev.ebb.computeservice.postgres;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalVersion;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.zip.CRC32C;

/**
 * The contents of {@code global/pg_control} of PostgreSQL 14 to 18 on a 64-bit little-endian
 * machine; immutable. Source: {@code src/include/catalog/pg_control.h} (struct {@code
 * ControlFileData} with a {@code CheckPoint} inside) of each of them.
 *
 * <p>What is read here lies in the same place in all of them but for the end: 18 has a byte more,
 * {@code default_char_signedness}, before the nonce. 17 put a {@code wal_level} into the checkpoint
 * where there was padding before.
 */
public final class PgControl {
  /** Where it lies below the data directory. */
  public static final String PATH = "global/pg_control";

  /** The file's length; what lies behind the CRC is zeroes. */
  public static final int FILE_BYTES = 8192;

  /**
   * {@code PG_CONTROL_VERSION} and {@code CATALOG_VERSION_NO} ({@code catversion.h}) of a major.
   * Both stay as they are in all its releases; 14 to 16 share the former.
   *
   * @param nonce where {@code mock_authentication_nonce} lies
   * @param crc where the checksum lies, of all that is before it
   */
  private record Format(WalVersion major, int control, int catalog, int nonce, int crc) {}

  private static final List<Format> FORMATS =
      List.of(
          new Format(WalVersion.V14, 1300, 202107181, 256, 288),
          new Format(WalVersion.V15, 1300, 202209061, 256, 288),
          new Format(WalVersion.V16, 1300, 202307071, 256, 288),
          new Format(WalVersion.V17, 1700, 202406281, 256, 288),
          new Format(WalVersion.V18, 1800, 202506291, 257, 292));

  // Offsets in ControlFileData; those of CheckPoint are counted from the file's start as well.
  private static final int SYSTEM_IDENTIFIER = 0;
  private static final int CONTROL_VERSION = 8;
  private static final int CATALOG_VERSION = 12;
  private static final int STATE = 16;
  private static final int CHECKPOINT = 32;
  private static final int REDO = 40;
  private static final int TIMELINE = 48;
  private static final int NEXT_XID = 64;
  private static final int NEXT_OID = 72;
  private static final int NEXT_MULTI = 76;
  private static final int NEXT_MULTI_OFFSET = 80;
  private static final int OLDEST_XID = 84;
  private static final int OLDEST_MULTI = 92;
  private static final int MIN_RECOVERY_POINT = 136;
  private static final int MIN_RECOVERY_TIMELINE = 144;
  private static final int WAL_LEVEL = 172;
  private static final int MAX_CONNECTIONS = 180;
  private static final int TRACK_COMMIT_TIMESTAMP = 200;
  private static final int BLOCK_BYTES = 216;
  private static final int WAL_BLOCK_BYTES = 224;
  private static final int WAL_SEGMENT_BYTES = 228;
  private static final int DATA_CHECKSUM_VERSION = 252;
  private static final int MOCK_NONCE_BYTES = 32;

  /** The longest of the structures. */
  private static final int LEAST_BYTES = 296;

  /** {@code DBState}, in its order. */
  public enum State {
    STARTUP(0),
    SHUTDOWNED(1),
    SHUTDOWNED_IN_RECOVERY(2),
    SHUTDOWNING(3),
    IN_CRASH_RECOVERY(4),
    IN_ARCHIVE_RECOVERY(5),
    IN_PRODUCTION(6);

    private final int code;

    State(int code) {
      this.code = code;
    }

    private static State ofCode(int code) {
      for (State state : values()) {
        if (state.code == code) {
          return state;
        }
      }
      throw new EbbException.Corrupt("pg_control has the unknown state " + code);
    }
  }

  private final ByteBuffer content;
  private final Format format;

  private PgControl(byte[] bytes, Format format) {
    this.content = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    this.format = format;
  }

  /**
   * Parses a whole file.
   *
   * @throws EbbException.Corrupt where the length or the CRC is wrong
   * @throws EbbException.Invalid where it is of another PostgreSQL version
   */
  public static PgControl parse(byte[] file) {
    if (file.length < LEAST_BYTES) {
      throw new EbbException.Corrupt(
          "pg_control has " + file.length + " bytes, expected " + FILE_BYTES);
    }
    var control = new PgControl(file.clone(), format(file));
    if (control.content.getInt(control.format.crc()) != control.computeCrc()) {
      throw new EbbException.Corrupt("pg_control is damaged: its CRC does not match");
    }
    State.ofCode(control.content.getInt(STATE));
    return control;
  }

  private static Format format(byte[] file) {
    ByteBuffer content = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    int control = content.getInt(CONTROL_VERSION);
    int catalog = content.getInt(CATALOG_VERSION);
    for (Format format : FORMATS) {
      if (format.control() == control && format.catalog() == catalog) {
        return format;
      }
    }
    // A file of another version has its CRC elsewhere: tell damage from age by plausibility.
    if (control >= 800
        && control <= 9_900
        && control % 100 <= 5
        && catalog >= 200_000_000
        && catalog <= 210_000_000) {
      throw new EbbException.Invalid(
          "pg_control has version "
              + control
              + " with catalog version "
              + catalog
              + ", which is no release of PostgreSQL 14 to 18");
    }
    throw new EbbException.Corrupt(
        "pg_control is damaged: its version fields say " + control + " and " + catalog);
  }

  /** Reads the file of a data directory; errors as {@link #parse}. */
  public static PgControl read(Path dataDirectory) throws IOException {
    return parse(Files.readAllBytes(dataDirectory.resolve(PATH)));
  }

  /** The whole file, with its CRC. */
  public byte[] bytes() {
    return content.array().clone();
  }

  /** Writes the file below a data directory in place, as PostgreSQL does. */
  public void write(Path dataDirectory) throws IOException {
    Files.write(dataDirectory.resolve(PATH), content.array());
  }

  public long systemIdentifier() {
    return content.getLong(SYSTEM_IDENTIFIER);
  }

  /** Which major version's file it is, and with it the WAL's format. */
  public WalVersion major() {
    return format.major();
  }

  public int catalogVersion() {
    return content.getInt(CATALOG_VERSION);
  }

  public State state() {
    return State.ofCode(content.getInt(STATE));
  }

  /** Whether a start needs no recovery. */
  public boolean stoppedCleanly() {
    return state() == State.SHUTDOWNED;
  }

  /** Where the newest checkpoint record starts. */
  public Lsn checkpoint() {
    return new Lsn(content.getLong(CHECKPOINT));
  }

  /** Where recovery from that checkpoint starts. */
  public Lsn redo() {
    return new Lsn(content.getLong(REDO));
  }

  public int timeline() {
    return content.getInt(TIMELINE);
  }

  /** The next transaction id with its epoch in the upper 32 bits. */
  public long nextFullXid() {
    return content.getLong(NEXT_XID);
  }

  /** Unsigned, as the following ones. */
  public int nextXid() {
    return (int) nextFullXid();
  }

  public int nextOid() {
    return content.getInt(NEXT_OID);
  }

  public int nextMulti() {
    return content.getInt(NEXT_MULTI);
  }

  public int nextMultiOffset() {
    return content.getInt(NEXT_MULTI_OFFSET);
  }

  public int oldestXid() {
    return content.getInt(OLDEST_XID);
  }

  public int oldestMulti() {
    return content.getInt(OLDEST_MULTI);
  }

  public Lsn minRecoveryPoint() {
    return new Lsn(content.getLong(MIN_RECOVERY_POINT));
  }

  public int minRecoveryTimeline() {
    return content.getInt(MIN_RECOVERY_TIMELINE);
  }

  /** 0 minimal, 1 replica, 2 logical. */
  public int walLevel() {
    return content.getInt(WAL_LEVEL);
  }

  public int maxConnections() {
    return content.getInt(MAX_CONNECTIONS);
  }

  public boolean tracksCommitTimestamps() {
    return content.get(TRACK_COMMIT_TIMESTAMP) != 0;
  }

  public int blockBytes() {
    return content.getInt(BLOCK_BYTES);
  }

  public int walBlockBytes() {
    return content.getInt(WAL_BLOCK_BYTES);
  }

  public int walSegmentBytes() {
    return content.getInt(WAL_SEGMENT_BYTES);
  }

  public boolean hasDataChecksums() {
    return content.getInt(DATA_CHECKSUM_VERSION) != 0;
  }

  /** With {@code IN_PRODUCTION} PostgreSQL recovers from redo on, whatever lies behind it. */
  public PgControl withState(State state) {
    return changed(c -> c.putInt(STATE, state.code));
  }

  /** Every branch has its own, here and in the long headers of its WAL pages. */
  public PgControl withSystemIdentifier(long identifier) {
    return changed(c -> c.putLong(SYSTEM_IDENTIFIER, identifier));
  }

  /** How far recovery must get before it may call the data consistent; for replicas. */
  public PgControl withMinRecoveryPoint(Lsn lsn, int timeline) {
    return changed(c -> {
      c.putLong(MIN_RECOVERY_POINT, lsn.value());
      c.putInt(MIN_RECOVERY_TIMELINE, timeline);
    });
  }

  /**
   * PostgreSQL derives from it the salts that it shows for roles that do not exist. Clusters made
   * from one template should not share it.
   *
   * @param nonce 32 random bytes
   */
  public PgControl withMockAuthenticationNonce(byte[] nonce) {
    if (nonce.length != MOCK_NONCE_BYTES) {
      throw new IllegalArgumentException("a nonce has " + MOCK_NONCE_BYTES + " bytes");
    }
    return changed(c -> c.put(format.nonce(), nonce));
  }

  private PgControl changed(Consumer<ByteBuffer> change) {
    var copy = new PgControl(bytes(), format);
    change.accept(copy.content);
    copy.content.putInt(format.crc(), copy.computeCrc());
    return copy;
  }

  private int computeCrc() {
    var crc = new CRC32C();
    crc.update(content.array(), 0, format.crc());
    return (int) crc.getValue();
  }
}
