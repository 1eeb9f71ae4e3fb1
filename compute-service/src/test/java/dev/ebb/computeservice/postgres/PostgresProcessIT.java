package dev.ebb.computeservice.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.computeservice.template.PostgresFixture;
import dev.ebb.shared.error.EbbException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class PostgresProcessIT {
  private static final int SIGSTOP = 19;

  private final PostgresFixture postgres = PostgresFixture.get();

  PostgresProcessIT() throws IOException {}

  @AfterEach
  void clean() throws IOException {
    postgres.clean();
  }

  private Path lay() throws IOException {
    return postgres.lay(postgres.template, postgres.template.control());
  }

  @Test
  void startedProcessIsReadyAndStopsCleanly() throws IOException {
    Path data = lay();
    try (var server = postgres.start(data)) {
      assertThat(ProcessHandle.of(server.process.pid())).isPresent();
      assertThat(Files.readString(data.resolve("postmaster.pid")))
          .startsWith(server.process.pid() + "\n");
      assertThat(server.process.stopFast(PostgresFixture.PATIENCE)).isTrue();
      assertThat(server.process.exit()).isCompletedWithValue(0);
      assertThat(ProcessHandle.of(server.process.pid())).isEmpty();
      assertThat(Files.readString(server.sockets.resolve("log"))).contains("shut down");
    }
  }

  @Test
  void startThatFailsTellsTheLastLinesOfTheLog() throws IOException {
    Path data = lay();
    Files.delete(data.resolve("global/pg_control"));
    try (var server = postgres.launch(data, postgres.launcher)) {
      assertThatThrownBy(() -> server.process.awaitReady(PostgresFixture.PATIENCE))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("ended with status")
          .hasMessageContaining("could not find the database system");
    }
  }

  @Test
  void settingThatPostgresRefusesIsTold() throws IOException {
    try (var server = postgres.launch(lay(), postgres.launcher, "shared_buffers=nonsense")) {
      assertThatThrownBy(() -> server.process.awaitReady(PostgresFixture.PATIENCE))
          .hasMessageContaining("shared_buffers");
    }
  }

  @Test
  void supervisorThatIsMissingIsTold() throws IOException {
    var missing = new SupervisedLauncher(Path.of("/no/ebb-supervise"), null, 0, 0);
    Path data = lay();
    assertThatThrownBy(() -> postgres.launch(data, missing))
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("/no/ebb-supervise");
  }

  @Test
  void binaryThatIsMissingIsTold() throws IOException {
    Path data = lay();
    var spec =
        new PostgresProcess.Spec(
            postgres.launcher,
            new PostgresBinaries(Path.of("/no"), new PostgresVersion(180006)),
            postgres.user,
            data,
            List.of(),
            Map.of(),
            data.resolve("log"),
            "missing",
            () -> true);
    try (PostgresProcess process = PostgresProcess.start(spec)) {
      assertThatThrownBy(() -> process.awaitReady(PostgresFixture.PATIENCE))
          .hasMessageContaining("status 71")
          .hasMessageContaining("No such file");
    }
  }

  @Test
  void immediateStopEndsWithoutCheckpoint() throws IOException {
    Path data = lay();
    try (var server = postgres.start(data)) {
      server.process.stopImmediate();
      assertThat(server.process.exit()).isDone();
      assertThat(PgControl.read(data).state()).isEqualTo(PgControl.State.IN_PRODUCTION);
    }
  }

  @Test
  void killedPostmasterLeavesNoProcessBehind() throws IOException {
    Path data = lay();
    try (var server = postgres.start(data)) {
      List<ProcessHandle> children =
          ProcessHandle.of(server.process.pid()).orElseThrow().children().toList();
      assertThat(children).isNotEmpty();
      server.process.kill9();
      assertThat(server.process.exit().orTimeout(60, TimeUnit.SECONDS).join()).isEqualTo(128 + 9);
      assertThat(children).noneMatch(ProcessHandle::isAlive);
    }
  }

  /** They hear no signal but SIGKILL. */
  @Test
  void processesThatAStopHoldsAreKilledAfterTheGivenTime() throws IOException {
    try (var server = postgres.start(lay())) {
      List<ProcessHandle> held =
          Stream.concat(
                  ProcessHandle.of(server.process.pid()).orElseThrow().children(),
                  ProcessHandle.of(server.process.pid()).stream())
              .toList();
      for (ProcessHandle process : held) {
        assertThat(Signals.send(process.pid(), SIGSTOP)).isTrue();
      }
      assertThat(server.process.stopFast(Duration.ofMillis(100))).isFalse();
      server.process.stopImmediate(Duration.ofMillis(100));
      assertThat(server.process.exit()).isCompletedWithValue(128 + 9);
      assertThat(held).hasSizeGreaterThan(1).noneMatch(ProcessHandle::isAlive);
    }
  }

  @Test
  void leaseThatIsNoLongerHeldEndsTheProcess() throws IOException {
    Path data = lay();
    var held = new AtomicBoolean(true);
    var launcher = new SupervisedLauncher(postgres.launcher.supervisor(), null, 1, 0);
    try (var server = postgres.launch(data, launcher, held::get)) {
      server.process.awaitReady(PostgresFixture.PATIENCE);
      // Longer than the lease: the heartbeats keep it alive.
      assertThatThrownBy(() -> server.process.exit().get(2, TimeUnit.SECONDS))
          .isInstanceOf(java.util.concurrent.TimeoutException.class);
      held.set(false);
      server.process.exit().orTimeout(60, TimeUnit.SECONDS).join();
      assertThat(PgControl.read(data).stoppedCleanly()).isFalse();
    }
  }

  @Test
  void environmentIsNotInherited() throws IOException {
    try (var server = postgres.start(lay())) {
      Path environment = Path.of("/proc/" + server.process.pid() + "/environ");
      List<String> names =
          List.of(Files.readString(environment).split("\0")).stream()
              .map(v -> v.substring(0, v.indexOf('=')))
              .toList();
      assertThat(names).contains("PATH", "LC_ALL", "TZ").doesNotContain("HOME", "JAVA_HOME");
    }
  }

  @Test
  void deadlineForReadinessIsKept() throws IOException {
    try (var server = postgres.launch(lay(), postgres.launcher)) {
      assertThatThrownBy(() -> server.process.awaitReady(Duration.ofNanos(1)))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("is not ready after");
    }
  }
}
