package dev.ebb.launcher.story;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.SQLException;
import java.util.Comparator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Objects that no longer hold what was written: told, and nobody else is the worse for it. */
final class CorruptStoreIT {
  private static final int ROWS = 5_000;
  private static final String PICTURE =
      "SELECT count(*) || ' ' || md5(string_agg(body, '' ORDER BY id)) FROM item";

  private static final Pattern MANIFEST =
      Pattern.compile("branches/[a-z0-9]+/manifests/[a-z0-9-]+");

  @TempDir private static Path directory;
  private static Server server;
  private static Database manifestVictim;
  private static Database packVictim;
  private static Database bootVictim;
  private static Database bystander;
  private static String picture;

  /** A byte of an object, and what it was. */
  private record Flip(Path object, long at) {
    static Flip inTheMiddle(Path object) throws IOException {
      var flip = new Flip(object, Files.size(object) / 2);
      flip.invert();
      return flip;
    }

    /** Done twice it is as it was. */
    void invert() throws IOException {
      try (var channel =
          FileChannel.open(object, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        var one = ByteBuffer.allocate(1);
        channel.read(one, at);
        one.put(0, (byte) ~one.get(0));
        channel.write(one.flip(), at);
      }
    }
  }

  private static Flip manifestFlip;
  private static Flip packFlip;
  private static Flip bootFlip;

  @BeforeAll
  static void start() throws Exception {
    server = new Server(directory).start();
    manifestVictim = filled("manifests");
    packVictim = filled("packs");
    bootVictim = filled("boots");
    bystander = filled("bystander");
    picture = bystander.ask(PICTURE);
    // Objects are cached while the server runs.
    server.stop();
    manifestFlip = Flip.inTheMiddle(manifest(manifestVictim));
    packFlip = Flip.inTheMiddle(largestPack(packVictim));
    bootFlip = Flip.inTheMiddle(bootPack(bootVictim));
    server.start();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static Database filled(String name) throws Exception {
    Database database = server.create(name);
    database.execute(
        "CREATE TABLE item (id int PRIMARY KEY, body text)",
        "SELECT setseed(0.5)",
        // Not compressible, so that the table is most of the pack.
        "INSERT INTO item SELECT i, (SELECT string_agg(md5(i::text || j), '')"
            + " FROM generate_series(1, 40) j) FROM generate_series(1, "
            + ROWS
            + ") i");
    return database;
  }

  /** The id of the newest snapshot, which the branch's head names. */
  private static Path manifest(Database database) throws IOException {
    try (Stream<Path> branches = Files.list(server.store().resolve("branches"))) {
      for (Path branch : branches.toList()) {
        Matcher named = MANIFEST.matcher(Files.readString(branch.resolve("head"), ISO_8859_1));
        if (Files.readString(branch.resolve("head"), ISO_8859_1).contains(database.id()) && named.find()) {
          return server.store().resolve(named.group());
        }
      }
    }
    throw new AssertionError("no branch of " + database);
  }

  private static Path packs(Path manifest) {
    return manifest.resolveSibling("../packs").normalize();
  }

  private static Path bootPack(Database database) throws IOException {
    Path manifest = manifest(database);
    return packs(manifest).resolve(manifest.getFileName() + "-boot");
  }

  private static Path largestPack(Database database) throws IOException {
    try (Stream<Path> packs = Files.list(packs(manifest(database)))) {
      return packs.max(Comparator.comparingLong(pack -> pack.toFile().length())).orElseThrow();
    }
  }

  @Test
  void damagedManifestFailsTheWakeAndItsRepairHeals() throws Exception {
    assertThatExceptionOfType(SQLException.class)
        .isThrownBy(() -> manifestVictim.ask(PICTURE))
        .returns("57P03", SQLException::getSQLState)
        .withMessageContaining("manifests/");
    assertBystanderIsFine();

    manifestFlip.invert();
    assertThat(manifestVictim.ask(PICTURE)).isEqualTo(picture);
  }

  @Test
  void damagedPackFailsTheReadAndItsRepairHeals() throws Exception {
    assertThatExceptionOfType(SQLException.class)
        .isThrownBy(() -> packVictim.ask(PICTURE))
        .matches(e -> "58030".equals(e.getSQLState()) || "57P03".equals(e.getSQLState()))
        .satisfies(e -> System.out.println("pack: " + e.getSQLState() + " " + e.getMessage()));
    assertBystanderIsFine();

    packFlip.invert();
    assertThat(packVictim.ask(PICTURE)).isEqualTo(picture);
    Amcheck.assertSound(packVictim);
  }

  @Test
  void damagedBootPackFailsTheWakeAndItsRepairHeals() throws Exception {
    try {
      System.out.println("boot: " + bootVictim.ask("SELECT 1"));
    } catch (SQLException e) {
      System.out.println("boot: " + e.getSQLState() + " " + e.getMessage());
      assertThat(e.getSQLState()).isEqualTo("57P03");
    }
    assertBystanderIsFine();

    bootFlip.invert();
    assertThat(bootVictim.ask(PICTURE)).isEqualTo(picture);
  }

  private static void assertBystanderIsFine() throws Exception {
    assertThat(bystander.ask(PICTURE)).isEqualTo(picture);
    assertThat(server.get("/healthz/ready")).isNotEmpty();
  }
}
