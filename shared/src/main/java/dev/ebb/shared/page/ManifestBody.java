package dev.ebb.shared.page;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseAccess;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Names;
import dev.ebb.shared.model.RoleState;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.Manifest.Ancestor;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.page.Manifest.BlockRun;
import dev.ebb.shared.page.Manifest.SmallFile;
import dev.ebb.shared.page.Manifest.WalPiece;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.ToLongFunction;

/**
 * Formats 2 and 3 of a manifest's body: the fields in the order in which {@link #write} puts them.
 * Lists are behind their size; the files, of which there may be 100,000, column by column with each
 * value as its difference from the one before, so that most take one byte, and runs of the same
 * byte once compressed. Format 3 has the restricted databases behind all others.
 */
final class ManifestBody {
  /** Bounds the memory that a forged count costs. */
  private static final int MAX_FILES = 1 << 21;

  /** The first format with {@link Manifest#restricted}. */
  private static final int WITH_RESTRICTED = 3;

  private ManifestBody() {}

  static BinaryWriter write(Manifest m) {
    if (m.files().size() > MAX_FILES || m.bootBlocks().size() > MAX_FILES) {
      throw new EbbException.Invalid("a snapshot of more than " + MAX_FILES + " files");
    }
    var out = new BinaryWriter(1 << 16);
    out.putText(m.snapshot().value())
        .putText(m.branch().value())
        .putVarint(m.generation().value())
        .putVarint(m.postgresVersion())
        .putLong(m.systemIdentifier())
        .putVarint(m.walSegmentBytes())
        .putVarint(m.timeline())
        .putLong(m.redoLsn().value())
        .putLong(m.checkpointLsn().value())
        .putLong(m.endLsn().value())
        .putByte(m.clean() ? 1 : 0)
        .putVarint(m.nextIncarnation())
        .putSignedVarint(m.walOffsetHint());
    out.putVarint(m.directories().size());
    m.directories().forEach(path -> out.putText(requireInside(path)));
    out.putVarint(m.smallFiles().size());
    m.smallFiles().forEach(f -> out.putText(requireInside(f.path())).putBytes(f.content()));
    writeFiles(out, m.files());
    out.putVarint(m.walPieces().size());
    m.walPieces().forEach(piece -> out.putLong(piece.start().value()).putBytes(piece.bytes()));
    out.putText(m.bootPack());
    writeRuns(out, m.bootBlocks());
    out.putVarint(m.roles().size());
    m.roles().forEach(role -> writeRole(out, role));
    out.putLong(m.committedEpochMs());
    writeHistory(out, m.history());
    out.putBytes(m.pageIndex());
    if (version(m) >= WITH_RESTRICTED) {
      out.putVarint(m.restricted().size());
      m.restricted().forEach(access -> writeAccess(out, access));
    }
    return out;
  }

  /** The lowest format that can hold it: what has nothing new in it older Ebbs read, too. */
  static int version(Manifest m) {
    return m.restricted().isEmpty() ? WITH_RESTRICTED - 1 : WITH_RESTRICTED;
  }

  static Manifest read(BinaryReader in, int version) {
    Manifest manifest;
    try {
      manifest = readFields(in, version);
    } catch (IllegalArgumentException e) {
      throw new EbbException.Corrupt("a manifest holds what cannot be: " + e.getMessage(), e);
    }
    in.expectEnd();
    return manifest;
  }

  private static Manifest readFields(BinaryReader in, int version) {
    var snapshot = new SnapshotId(in.takeText());
    var branch = new BranchId(in.takeText());
    var generation = new Generation(in.takeVarint());
    int postgresVersion = in.takeVarint(Integer.MAX_VALUE);
    long systemIdentifier = in.takeLong();
    int walSegmentBytes = in.takeVarint(Integer.MAX_VALUE);
    int timeline = in.takeVarint(Integer.MAX_VALUE);
    var redoLsn = new Lsn(in.takeLong());
    var checkpointLsn = new Lsn(in.takeLong());
    var endLsn = new Lsn(in.takeLong());
    boolean clean = takeFlag(in);
    int nextIncarnation = in.takeVarint(Integer.MAX_VALUE);
    long walOffsetHint = in.takeSignedVarint();
    List<String> directories = list(in, 1, () -> takePath(in));
    List<SmallFile> smallFiles = list(in, 2, () -> new SmallFile(takePath(in), in.takeBytes()));
    List<BlockFile> files = readFiles(in);
    List<WalPiece> walPieces =
        list(in, 9, () -> new WalPiece(new Lsn(in.takeLong()), in.takeBytes()));
    String bootPack = in.takeText();
    List<BlockRun> bootBlocks = readRuns(in);
    List<RoleState> roles = list(in, 8, () -> readRole(in));
    long committedEpochMs = in.takeLong();
    List<Ancestor> history = list(in, 26, () -> readAncestor(in));
    byte[] pageIndex = in.takeBytes();
    List<DatabaseAccess> restricted =
        version >= WITH_RESTRICTED ? list(in, 4, () -> readAccess(in)) : List.of();
    return new Manifest(
        snapshot,
        branch,
        generation,
        postgresVersion,
        systemIdentifier,
        walSegmentBytes,
        timeline,
        redoLsn,
        checkpointLsn,
        endLsn,
        clean,
        nextIncarnation,
        directories,
        smallFiles,
        files,
        walPieces,
        bootPack,
        bootBlocks,
        roles,
        walOffsetHint,
        committedEpochMs,
        history,
        pageIndex,
        restricted);
  }

  private static void writeFiles(BinaryWriter out, List<BlockFile> files) {
    out.putVarint(files.size());
    writeKeys(out, files.stream().map(BlockFile::key).toList());
    writeColumn(out, files, BlockFile::incarnation);
    writeColumn(out, files, BlockFile::blocks);
  }

  private static List<BlockFile> readFiles(BinaryReader in) {
    int count = in.takeVarint(Math.min(in.remaining() / 7, MAX_FILES));
    FileKey[] keys = readKeys(in, count);
    int[] incarnations = readColumn(in, count);
    int[] blocks = readColumn(in, count);
    var files = new BlockFile[count];
    for (int i = 0; i < count; i++) {
      if (incarnations[i] < 0 || blocks[i] < 0 || blocks[i] > FileKey.BLOCKS_PER_SEGMENT) {
        throw in.corrupt(keys[i] + " has " + blocks[i] + " blocks");
      }
      if (i > 0 && keys[i - 1].compareTo(keys[i]) >= 0) {
        throw in.corrupt("its files are out of order at " + keys[i]);
      }
      files[i] = new BlockFile(keys[i], incarnations[i], blocks[i]);
    }
    return List.of(files);
  }

  private static void writeRuns(BinaryWriter out, List<BlockRun> runs) {
    out.putVarint(runs.size());
    writeKeys(out, runs.stream().map(BlockRun::file).toList());
    writeColumn(out, runs, BlockRun::firstBlock);
    writeColumn(out, runs, BlockRun::count);
  }

  private static List<BlockRun> readRuns(BinaryReader in) {
    int count = in.takeVarint(Math.min(in.remaining() / 7, MAX_FILES));
    FileKey[] keys = readKeys(in, count);
    int[] firstBlocks = readColumn(in, count);
    int[] counts = readColumn(in, count);
    var runs = new BlockRun[count];
    for (int i = 0; i < count; i++) {
      if (firstBlocks[i] < 0
          || counts[i] < 0
          || counts[i] > FileKey.BLOCKS_PER_SEGMENT - firstBlocks[i]) {
        throw in.corrupt("a run of " + counts[i] + " blocks in " + keys[i]);
      }
      runs[i] = new BlockRun(keys[i], firstBlocks[i], counts[i]);
    }
    return List.of(runs);
  }

  private static void writeKeys(BinaryWriter out, List<FileKey> keys) {
    writeColumn(out, keys, key -> key.kind().code());
    writeColumn(out, keys, FileKey::database);
    writeColumn(out, keys, FileKey::relation);
    writeColumn(out, keys, FileKey::fork);
    writeColumn(out, keys, FileKey::segment);
  }

  private static FileKey[] readKeys(BinaryReader in, int count) {
    int[] kinds = readColumn(in, count);
    int[] databases = readColumn(in, count);
    int[] relations = readColumn(in, count);
    int[] forks = readColumn(in, count);
    int[] segments = readColumn(in, count);
    var keys = new FileKey[count];
    for (int i = 0; i < count; i++) {
      if (forks[i] < 0 || forks[i] > 3 || segments[i] < 0) {
        throw in.corrupt("fork " + forks[i] + ", segment " + segments[i]);
      }
      keys[i] =
          new FileKey(
              FileKey.Kind.ofCode(kinds[i]), databases[i], relations[i], forks[i], segments[i]);
    }
    return keys;
  }

  private static <T> void writeColumn(
      BinaryWriter out, List<T> rows, ToLongFunction<? super T> column) {
    int before = 0;
    for (T row : rows) {
      int value = (int) column.applyAsLong(row);
      out.putSignedVarint((long) value - before);
      before = value;
    }
  }

  private static int[] readColumn(BinaryReader in, int count) {
    var values = new int[count];
    long before = 0;
    for (int i = 0; i < count; i++) {
      before += in.takeSignedVarint();
      if (before != (int) before) {
        throw in.corrupt("a number of more than 32 bits");
      }
      values[i] = (int) before;
    }
    return values;
  }

  private static void writeHistory(BinaryWriter out, List<Ancestor> history) {
    out.putVarint(history.size());
    for (Ancestor a : history) {
      out.putText(a.manifestKey())
          .putText(a.snapshot().value())
          .putLong(a.redoLsn().value())
          .putLong(a.endLsn().value())
          .putLong(a.committedEpochMs());
    }
  }

  private static Ancestor readAncestor(BinaryReader in) {
    return new Ancestor(
        in.takeText(),
        new SnapshotId(in.takeText()),
        new Lsn(in.takeLong()),
        new Lsn(in.takeLong()),
        in.takeLong());
  }

  private static void writeRole(BinaryWriter out, RoleState role) {
    Secret verifier = role.verifier();
    out.putText(role.name()).putByte(verifier == null ? 0 : 1);
    if (verifier != null) {
      out.putText(verifier.reveal());
    }
    out.putByte(role.canLogin() ? 1 : 0)
        .putByte(role.superuser() ? 1 : 0)
        .putByte(role.replication() ? 1 : 0)
        .putSignedVarint(role.connectionLimit())
        .putLong(role.validUntilEpochMs());
  }

  private static RoleState readRole(BinaryReader in) {
    String name = in.takeText();
    Secret verifier = takeFlag(in) ? new Secret(in.takeText()) : null;
    boolean canLogin = takeFlag(in);
    boolean superuser = takeFlag(in);
    boolean replication = takeFlag(in);
    long connectionLimit = in.takeSignedVarint();
    if (connectionLimit != (int) connectionLimit) {
      throw in.corrupt("a connection limit of " + connectionLimit);
    }
    return new RoleState(
        name, verifier, canLogin, superuser, replication, (int) connectionLimit, in.takeLong());
  }

  private static void writeAccess(BinaryWriter out, DatabaseAccess access) {
    out.putText(access.database())
        .putByte(access.allowsConnections() ? 1 : 0)
        .putSignedVarint(access.connectionLimit())
        .putVarint(access.refused().size());
    access.refused().forEach(out::putText);
  }

  private static DatabaseAccess readAccess(BinaryReader in) {
    String database = in.takeText();
    boolean allowsConnections = takeFlag(in);
    long connectionLimit = in.takeSignedVarint();
    if (connectionLimit != (int) connectionLimit) {
      throw in.corrupt("a connection limit of " + connectionLimit);
    }
    return new DatabaseAccess(
        database, allowsConnections, (int) connectionLimit, list(in, 1, in::takeText));
  }

  private static boolean takeFlag(BinaryReader in) {
    int value = in.takeByte();
    if (value > 1) {
      throw in.corrupt("a flag of " + value);
    }
    return value == 1;
  }

  private static String takePath(BinaryReader in) {
    String path = in.takeText();
    if (!isInside(path)) {
      throw in.corrupt("the path \"" + Names.printable(path) + "\" is not below a data directory");
    }
    return path;
  }

  private static String requireInside(String path) {
    if (!isInside(path)) {
      throw new EbbException.Invalid(
          "the path \"" + Names.printable(path) + "\" is not below a data directory");
    }
    return path;
  }

  /** Files are made under these names: a forged manifest must not reach outside. */
  private static boolean isInside(String path) {
    return !path.isEmpty()
        && path.indexOf('\0') < 0
        && Arrays.stream(path.split("/", -1))
            .noneMatch(e -> e.isEmpty() || e.equals(".") || e.equals(".."));
  }

  private static <T> List<T> list(BinaryReader in, int leastBytes, Supplier<T> element) {
    int count = in.takeCount(leastBytes);
    var elements = new ArrayList<T>(Math.min(count, 4096));
    for (int i = 0; i < count; i++) {
      elements.add(element.get());
    }
    return List.copyOf(elements);
  }
}
