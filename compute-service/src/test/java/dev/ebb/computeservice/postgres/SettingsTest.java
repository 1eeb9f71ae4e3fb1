package dev.ebb.computeservice.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.model.PostgresMajor;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

final class SettingsTest {
  private static PostgresSettings settings(ComputeSize size, String standby, Path sockets) {
    return settings(18, size, standby, sockets);
  }

  private static PostgresSettings settings(
      int major, ComputeSize size, String standby, Path sockets) {
    return new PostgresSettings(
        new PostgresMajor(major),
        size,
        "127.0.0.1",
        5433,
        sockets,
        Path.of("/x/hba"),
        Path.of("/x/ident"),
        new PostgresSettings.Kind.Primary(standby));
  }

  /** PostgreSQL does not start on a setting that it does not know. */
  @Test
  void settingsAreThoseOfTheVersion() {
    var size = new ComputeSize(512, 100);
    assertThat(settings(14, size, "ebb_abc", Path.of("/s")).arguments())
        .contains("fsync=off", "max_slot_wal_keep_size=-1")
        .noneMatch(a -> a.startsWith("io_method") || a.startsWith("debug_io_direct"))
        .noneMatch(a -> a.startsWith("allow_alter_system"));
    assertThat(settings(16, size, "ebb_abc", Path.of("/s")).arguments())
        .contains("debug_io_direct=")
        .noneMatch(a -> a.startsWith("io_method") || a.startsWith("allow_alter_system"));
    assertThat(settings(17, size, "ebb_abc", Path.of("/s")).arguments())
        .contains("debug_io_direct=", "allow_alter_system=off")
        .noneMatch(a -> a.startsWith("io_method"));
  }

  @Test
  void durabilityComesFromTheLogAlone() {
    assertThat(settings(new ComputeSize(512, 100), "ebb_abc", Path.of("/s")).arguments())
        .contains(
            "fsync=off",
            "full_page_writes=off",
            "restart_after_crash=off",
            "synchronous_commit=on",
            "synchronous_standby_names=ANY 1 (\"ebb_abc\")",
            "allow_alter_system=off",
            "io_method=sync",
            "debug_io_direct=",
            "max_slot_wal_keep_size=-1");
  }

  @Test
  void tlsIsOfferedWhereThereIsACertificate() {
    PostgresSettings plain = settings(new ComputeSize(512, 100), "ebb_abc", Path.of("/s"));
    var tls =
        new PostgresSettings(
            plain.postgres(),
            plain.size(),
            plain.host(),
            plain.port(),
            plain.socketDirectory(),
            plain.hbaFile(),
            plain.identFile(),
            plain.kind(),
            new PostgresTls(Path.of("/x/c.pem"), Path.of("/x/k.pem")));
    assertThat(plain.arguments()).contains("ssl=off").noneMatch(a -> a.startsWith("ssl_"));
    assertThat(tls.arguments())
        .contains("ssl=on", "ssl_cert_file=/x/c.pem", "ssl_key_file=/x/k.pem");
  }

  /** A standby with less of any of them than its primary does not start (storage rule 31). */
  @Test
  void replicaHasWhatItIsComparedBy() {
    var size = new ComputeSize(512, 100);
    PostgresSettings primary = settings(size, "ebb_abc", Path.of("/s"));
    var replica =
        new PostgresSettings(
            primary.postgres(),
            size,
            primary.host(),
            primary.port(),
            primary.socketDirectory(),
            primary.hbaFile(),
            primary.identFile(),
            new PostgresSettings.Kind.Replica(Path.of("/x/replica.conf"), 0));
    assertThat(replica.arguments())
        .containsAll(
            primary.arguments().stream()
                .filter(a ->
                    a.matches(
                        "(max_connections|max_worker_processes|max_wal_senders"
                            + "|max_prepared_transactions|max_locks_per_transaction)=.*"))
                .toList())
        .contains("config_file=/x/replica.conf")
        .noneMatch(a -> a.contains("ebb_abc"));
  }

  /** What a standby compares with its primary must not depend on the size. */
  @Test
  void sizesOfDatabaseDifferInMemoryOnly() {
    List<String> small = settings(new ComputeSize(128, 100), "ebb_abc", Path.of("/s")).arguments();
    List<String> large = settings(new ComputeSize(8192, 100), "ebb_abc", Path.of("/s")).arguments();
    for (String name :
        List.of(
            "max_connections",
            "max_worker_processes",
            "max_wal_senders",
            "max_prepared_transactions",
            "max_locks_per_transaction")) {
      assertThat(value(small, name)).isEqualTo(value(large, name));
    }
    assertThat(value(small, "shared_buffers")).isEqualTo("32MB");
    assertThat(value(large, "shared_buffers")).isEqualTo("2048MB");
  }

  @Test
  void everySettingIsNamedOnce() {
    List<String> names =
        settings(new ComputeSize(128, 100), "ebb_abc", Path.of("/s")).arguments().stream()
            .filter(a -> !a.equals("-c"))
            .map(a -> a.substring(0, a.indexOf('=')))
            .toList();
    assertThat(names).doesNotHaveDuplicates();
  }

  @Test
  void whatWouldBreakTheSettingsIsRefused() {
    assertThatThrownBy(() -> settings(new ComputeSize(512, 100), "a\", \"b", Path.of("/s")))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(
            () -> settings(new ComputeSize(512, 100), "ebb", Path.of("/" + "x".repeat(100))))
        .hasMessageContaining("longer than 107 bytes");
    assertThatThrownBy(() -> new ComputeSize(10, 100)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void adminEntersBySocketOrFromTheServicesOnly() {
    assertThat(new HbaFile("ebb_admin", List.of("127.0.0.1/32", "::1/128")).text().lines())
        .containsExactly(
            "local all ebb_admin trust",
            "local replication ebb_admin trust",
            "local all all reject",
            "local replication all reject",
            "host all ebb_admin 127.0.0.1/32 scram-sha-256",
            "host replication ebb_admin 127.0.0.1/32 scram-sha-256",
            "host all ebb_admin ::1/128 scram-sha-256",
            "host replication ebb_admin ::1/128 scram-sha-256",
            "host all ebb_admin all reject",
            "host replication ebb_admin all reject",
            "host all all all scram-sha-256",
            "host replication all all scram-sha-256");
    assertThatThrownBy(() -> new HbaFile("ebb_admin", List.of("all\nhost all all all trust")))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static String value(List<String> arguments, String name) {
    return arguments.stream()
        .filter(a -> a.startsWith(name + "="))
        .map(a -> a.substring(name.length() + 1))
        .findFirst()
        .orElseThrow();
  }
}
