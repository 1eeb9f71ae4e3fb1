package dev.ebb.shared.page;

import dev.ebb.shared.error.EbbException;
import java.util.Comparator;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One file of 8 kB blocks below the data directory: a segment of a relation's fork, or a segment of
 * an SLRU. Sources: {@code src/common/relpath.c}, {@code src/backend/access/transam/slru.c}.
 *
 * <p>Order is by all fields, as unsigned numbers: the order of files in a manifest, a pack and the
 * block map.
 *
 * @param kind which family of files
 * @param database the database's oid, 0 for shared relations and SLRUs
 * @param relation the relfilenumber, 0 for SLRUs
 * @param fork 0 main, 1 fsm, 2 vm, 3 init
 * @param segment the segment's number: 1 GB each for relations, 32 pages each for SLRUs
 */
public record FileKey(Kind kind, int database, int relation, int fork, int segment)
    implements Comparable<FileKey> {

  /** The families, with their directory. The code is stored: never renumber. */
  public enum Kind {
    RELATION(0, ""),
    XACT(1, "pg_xact"),
    MULTIXACT_OFFSETS(2, "pg_multixact/offsets"),
    MULTIXACT_MEMBERS(3, "pg_multixact/members"),
    COMMIT_TS(4, "pg_commit_ts");

    private final int code;
    private final String directory;

    Kind(int code, String directory) {
      this.code = code;
      this.directory = directory;
    }

    public int code() {
      return code;
    }

    public String directory() {
      return directory;
    }

    public static Kind ofCode(int code) {
      for (Kind kind : values()) {
        if (kind.code == code) {
          return kind;
        }
      }
      throw new EbbException.Corrupt("unknown kind of file: " + code);
    }
  }

  public static final int BLOCK_BYTES = 8192;

  /** Blocks of a whole 1 GB relation segment. */
  public static final int BLOCKS_PER_SEGMENT = 131072;

  private static final long MAX_OID = 0xFFFFFFFFL;
  private static final String[] FORKS = {"", "_fsm", "_vm", "_init"};
  private static final Pattern RELATION =
      Pattern.compile(
          "(?:global|base/(\\d{1,10}))/(\\d{1,10})(?:_(fsm|vm|init))?(?:\\.(\\d{1,5}))?");
  private static final Pattern SLRU =
      Pattern.compile(
          "(pg_xact|pg_multixact/offsets|pg_multixact/members|pg_commit_ts)/([0-9A-F]{4,8})");
  private static final Comparator<FileKey> ORDER =
      Comparator.comparingInt((FileKey k) -> k.kind().code())
          .thenComparing((a, b) -> Integer.compareUnsigned(a.database(), b.database()))
          .thenComparing((a, b) -> Integer.compareUnsigned(a.relation(), b.relation()))
          .thenComparingInt(FileKey::fork)
          .thenComparingInt(FileKey::segment);

  /**
   * The key of a path relative to the data directory, or nothing for any other file. A path that
   * PostgreSQL would spell differently ({@code base/1/007}) is another file.
   */
  public static Optional<FileKey> parse(String path) {
    Matcher relation = RELATION.matcher(path);
    Optional<FileKey> key = relation.matches() ? ofRelation(relation) : ofSlru(SLRU.matcher(path));
    return key.filter(k -> k.path().equals(path));
  }

  private static Optional<FileKey> ofRelation(Matcher path) {
    long database = path.group(1) == null ? 0 : Long.parseLong(path.group(1));
    long relation = Long.parseLong(path.group(2));
    if (database > MAX_OID || relation > MAX_OID) {
      return Optional.empty();
    }
    int fork =
        switch (path.group(3)) {
          case null -> 0;
          case "fsm" -> 1;
          case "vm" -> 2;
          default -> 3;
        };
    int segment = path.group(4) == null ? 0 : Integer.parseInt(path.group(4));
    return Optional.of(new FileKey(Kind.RELATION, (int) database, (int) relation, fork, segment));
  }

  private static Optional<FileKey> ofSlru(Matcher path) {
    if (!path.matches()) {
      return Optional.empty();
    }
    for (Kind kind : Kind.values()) {
      if (kind.directory().equals(path.group(1))) {
        int segment = Integer.parseUnsignedInt(path.group(2), 16);
        return Optional.of(new FileKey(kind, 0, 0, 0, segment));
      }
    }
    return Optional.empty();
  }

  /** The path relative to the data directory. */
  public String path() {
    if (kind != Kind.RELATION) {
      return kind.directory() + "/" + String.format("%04X", segment);
    }
    String directory = database == 0 ? "global" : "base/" + Integer.toUnsignedString(database);
    return directory
        + "/"
        + Integer.toUnsignedString(relation)
        + FORKS[fork]
        + (segment == 0 ? "" : "." + segment);
  }

  @Override
  public int compareTo(FileKey other) {
    return ORDER.compare(this, other);
  }

  @Override
  public String toString() {
    return path();
  }
}
