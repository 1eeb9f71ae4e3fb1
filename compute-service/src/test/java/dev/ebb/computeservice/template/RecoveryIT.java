package dev.ebb.computeservice.template;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.computeservice.postgres.PgControl;
import dev.ebb.computeservice.postgres.WalChain;
import dev.ebb.computeservice.postgres.WalLayer;
import dev.ebb.computeservice.postgres.WalPages;
import dev.ebb.shared.model.Lsn;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A compute killed in the middle of its work, rebuilt from a snapshot and its log. */
final class RecoveryIT {
  private static final String DB = TemplateMaker.DATABASE;
  private static final long OWN_IDENTIFIER = 0x7AB1_0000_0000_00AAL;
  private final PostgresFixture postgres = PostgresFixture.get();

  RecoveryIT() throws IOException {}

  @AfterEach
  void clean() throws IOException {
    postgres.clean();
  }

  @ParameterizedTest
  @ValueSource(ints = {1 << 20, 8192, 4099, 13})
  void killedClusterIsRebuiltFromCleanSnapshotAndLog(int chunkBytes) throws IOException {
    Killed killed = killAfterWriting(chunkBytes == 13 ? 100 : 40_000);
    PgControl control =
        postgres
            .template
            .control()
            .withSystemIdentifier(OWN_IDENTIFIER)
            .withState(PgControl.State.IN_PRODUCTION);
    Path data = postgres.lay(postgres.template, control);
    layLog(killed, postgres.template.endLsn(), data, control, chunkBytes);
    try (var server = postgres.start(data)) {
      assertThat(server.sql(DB, "SELECT count(*) FROM t")).containsExactly(killed.rows + "");
      server.awaitLog("redo starts at " + postgres.template.endLsn());
    }
  }

  /** Rule 1: this is what must never happen, and the state is what prevents it. */
  @Test
  void cleanStateInTheControlFileHidesTheLogBehindIt() throws IOException {
    Killed killed = killAfterWriting(100);
    PgControl control = postgres.template.control();
    assertThat(control.stoppedCleanly()).isTrue();
    Path data = postgres.lay(postgres.template, control);
    layLog(killed, postgres.template.endLsn(), data, control, 8192);
    try (var server = postgres.start(data)) {
      assertThat(server.sql(DB, "SELECT to_regclass('t')")).containsExactly("null");
    }

    PgControl right = control.withState(PgControl.State.IN_PRODUCTION);
    Path rebuilt = postgres.lay(postgres.template, right);
    layLog(killed, postgres.template.endLsn(), rebuilt, right, 8192);
    try (var server = postgres.start(rebuilt)) {
      assertThat(server.sql(DB, "SELECT count(*) FROM t")).containsExactly("100");
    }
  }

  /** No pieces here: the pages before redo are nothing but headers. */
  @Test
  void logFromTheMiddleOfSegmentAloneRecoversFromAnOnlineCheckpoint() throws IOException {
    Path first = postgres.lay(postgres.template, postgres.template.control());
    try (var server = postgres.start(first)) {
      server.sql(
          DB,
          "CREATE TABLE t (i int)",
          "INSERT INTO t SELECT generate_series(1, 1000)",
          "SELECT pg_switch_wal()",
          "INSERT INTO t SELECT generate_series(1001, 3000)",
          "CHECKPOINT",
          "INSERT INTO t SELECT generate_series(3001, 4000)");
      server.process.kill9();
      server.process.exit().orTimeout(60, TimeUnit.SECONDS).join();
    }
    PgControl control = PgControl.read(first).withSystemIdentifier(OWN_IDENTIFIER);
    assertThat(control.state()).isEqualTo(PgControl.State.IN_PRODUCTION);
    assertThat(control.redo().value() % control.walSegmentBytes()).isGreaterThan(8192);
    Lsn end = WalChain.end(first.resolve("pg_wal"), control.redo(), Lsn.INVALID, control);
    assertThat(end).isGreaterThan(control.checkpoint());

    Path second = copyWithoutWal(first);
    control.write(second);
    layLog(new Killed(first, end, 4000), control.redo(), second, control, 5000);
    assertThat(WalChain.end(second.resolve("pg_wal"), control.redo(), Lsn.INVALID, control))
        .isEqualTo(end);
    try (var server = postgres.start(second)) {
      assertThat(server.sql(DB, "SELECT count(*) FROM t")).containsExactly("4000");
    }
  }

  @Test
  void chainEndsBeforeADamagedRecordAndAtTheLimit() throws IOException {
    Killed killed = killAfterWriting(3000);
    Path wal = killed.directory.resolve("pg_wal");
    PgControl control = postgres.template.control();
    Lsn from = postgres.template.endLsn();
    assertThat(WalChain.end(wal, from, from.plus(100), control))
        .isBetween(from.plus(100), killed.end);
    Lsn hit = from.plus(killed.end.minus(from) / 2);
    flip(wal, hit, control);
    Lsn end = WalChain.end(wal, from, Lsn.INVALID, control);
    assertThat(end).isBetween(from, hit);
  }

  private record Killed(Path directory, Lsn end, int rows) {}

  private Killed killAfterWriting(int rows) throws IOException {
    Path data = postgres.lay(postgres.template, postgres.template.control());
    try (var server = postgres.start(data)) {
      server.sql(
          DB,
          "CREATE TABLE t (i int PRIMARY KEY, s text)",
          "INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, " + rows + ") i");
      server.process.kill9();
      server.process.exit().orTimeout(60, TimeUnit.SECONDS).join();
    }
    Lsn end =
        WalChain.end(
            data.resolve("pg_wal"),
            postgres.template.endLsn(),
            Lsn.INVALID,
            postgres.template.control());
    return new Killed(data, end, rows);
  }

  private void layLog(Killed source, Lsn from, Path target, PgControl control, int chunkBytes)
      throws IOException {
    Path wal = source.directory.resolve("pg_wal");
    try (WalLayer layer = WalPages.layLog(target.resolve("pg_wal"), from, control, postgres.user)) {
      while (layer.position().isBefore(source.end)) {
        Lsn at = layer.position();
        int inSegment = (int) (at.value() % control.walSegmentBytes());
        int length =
            (int)
                Math.min(
                    Math.min(chunkBytes, source.end.minus(at)),
                    control.walSegmentBytes() - inSegment);
        byte[] chunk = new byte[length];
        try (var file = new RandomAccessFile(segment(wal, at, control).toFile(), "r")) {
          file.seek(inSegment);
          file.readFully(chunk);
        }
        layer.append(chunk, 0, length);
      }
      assertThat(layer.finish()).isEqualTo(source.end);
    }
  }

  private static void flip(Path wal, Lsn at, PgControl control) throws IOException {
    try (var file = new RandomAccessFile(segment(wal, at, control).toFile(), "rw")) {
      long offset = at.value() % control.walSegmentBytes();
      file.seek(offset);
      int was = file.read();
      file.seek(offset);
      file.write(was ^ 0xFF);
    }
  }

  private static Path segment(Path wal, Lsn at, PgControl control) {
    return wal.resolve(
        String.format(
            "%08X%08X%08X",
            1, at.value() >>> 32, (at.value() & 0xFFFFFFFFL) / control.walSegmentBytes()));
  }

  private Path copyWithoutWal(Path from) throws IOException {
    Path target = postgres.newDirectory();
    Files.walkFileTree(
        from,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes a)
              throws IOException {
            Files.createDirectory(target.resolve(from.relativize(directory).toString()));
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes a) throws IOException {
            String path = from.relativize(file).toString();
            if (DataFiles.of(path) != DataFiles.Treatment.LEFT_OUT) {
              Files.copy(file, target.resolve(path));
            }
            return FileVisitResult.CONTINUE;
          }
        });
    Files.setPosixFilePermissions(target, PosixFilePermissions.fromString("rwx------"));
    postgres.user.ownAll(target);
    return target;
  }
}
