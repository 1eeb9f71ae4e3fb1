package dev.ebb.launcher.story;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.ebb.launcher.process.EbbProcess;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.postgresql.util.PSQLException;

/** Objects that no longer hold what was written: told, and nobody else is the worse for it. */
final class CorruptStoreIT {
  private static final int ROWS = 5_000;
  private static final Duration FSCK = Duration.ofSeconds(60);
  private static final String PICTURE =
      "SELECT count(*) || ' ' || md5(string_agg(body, '' ORDER BY id)) FROM item";

  private static final String WIDE = "SELECT count(*) || ' ' || sum(id) FROM wide";

  private static final Pattern BRANCH = Pattern.compile("branches=\\[\\{id=(\\w+)");
  private static final Pattern MANIFEST =
      Pattern.compile("branches/[a-z0-9]+/manifests/[a-z0-9-]+");

  @TempDir private static Path directory;
  private static Server server;
  private static Database manifestVictim;
  private static Database packVictim;
  private static Database bootVictim;
  private static Database indexVictim;
  private static Database catalogIndexVictim;
  private static Database bystander;
  private static String picture;

  /** A byte of an object, and what it was. */
  private record Flip(Path object, long at) {
    static Flip inTheMiddle(Path object) throws IOException {
      return at(object, Files.size(object) / 2);
    }

    static Flip at(Path object, long at) throws IOException {
      var flip = new Flip(object, at);
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
  private static Flip indexFlip;
  private static Flip catalogIndexFlip;

  @BeforeAll
  static void start() throws Exception {
    server = new Server(directory).start();
    manifestVictim = filled("manifests");
    packVictim = filled("packs");
    bootVictim = filled("boots");
    indexVictim = filled("indexes");
    catalogIndexVictim = filled("catalogs");
    for (Database victim : List.of(indexVictim, catalogIndexVictim)) {
      // A row each page, and so many that the manifest alone does not say where all of them are.
      victim.execute(
          "CREATE TABLE wide (id int, pad text) WITH (fillfactor = 10)",
          "INSERT INTO wide SELECT i, rpad(i::text, 400, '.') FROM generate_series(1, 40000) i");
    }
    bystander = filled("bystander");
    picture = bystander.ask(PICTURE);
    for (Database database :
        List.of(
            manifestVictim, packVictim, bootVictim, indexVictim, catalogIndexVictim, bystander)) {
      database.suspend();
    }
    Path manifest = manifest(manifestVictim);
    Path pack = largestPack(packVictim);
    Path boot = bootPack(bootVictim);
    Path index = index(indexVictim);
    Path catalogIndex = index(catalogIndexVictim);
    // Objects are cached while the server runs.
    server.stop();
    manifestFlip = Flip.inTheMiddle(manifest);
    packFlip = Flip.inTheMiddle(pack);
    bootFlip = Flip.inTheMiddle(boot);
    // In the order of files: the catalog's come first, those of the last table last.
    indexFlip = Flip.at(index, Files.size(index) * 9 / 10);
    catalogIndexFlip = Flip.at(catalogIndex, 100);
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

  /** The newest snapshot's, which the branch's head names. */
  private static Path manifest(Database database) throws Exception {
    Object answer = server.api().send("GET", "/v1/databases/" + database.name(), null);
    Matcher id = BRANCH.matcher(String.valueOf(answer));
    assertThat(id.find()).as("%s", answer).isTrue();
    Path head = server.store().resolve("branches").resolve(id.group(1)).resolve("head");
    Matcher named = MANIFEST.matcher(Files.readString(head, ISO_8859_1));
    assertThat(named.find()).as("%s", head).isTrue();
    return server.store().resolve(named.group());
  }

  private static Path packs(Path manifest) {
    return manifest.resolveSibling("../packs").normalize();
  }

  private static Path bootPack(Database database) throws Exception {
    Path manifest = manifest(database);
    return packs(manifest).resolve(manifest.getFileName() + "-boot");
  }

  private static Path largestPack(Database database) throws Exception {
    return largest(packs(manifest(database)));
  }

  private static Path index(Database database) throws Exception {
    return largest(manifest(database).resolveSibling("../index").normalize());
  }

  private static Path largest(Path directory) throws IOException {
    try (Stream<Path> objects = Files.list(directory)) {
      return objects.max(Comparator.comparingLong(one -> one.toFile().length())).orElseThrow();
    }
  }

  @Test
  void damagedManifestFailsTheWakeAndItsRepairHeals() throws Exception {
    assertThatExceptionOfType(SQLException.class)
        .isThrownBy(() -> manifestVictim.ask(PICTURE))
        .returns("57P03", SQLException::getSQLState)
        .withMessageContaining("manifests/");
    assertBystanderIsFine();
    assertFsckNames(manifestVictim, manifestFlip);

    manifestFlip.invert();
    assertThat(manifestVictim.ask(PICTURE)).isEqualTo(picture);
  }

  @Test
  void damagedPackFailsTheReadAndItsRepairHeals() throws Exception {
    assertThatExceptionOfType(SQLException.class)
        .isThrownBy(() -> packVictim.ask(PICTURE))
        .as("the page is refused by name")
        .returns("XX001", SQLException::getSQLState)
        .withMessageContaining("invalid page in block")
        .satisfies(error -> assertThat(detail(error)).contains(name(packFlip)));
    assertOtherPagesAreReadable(packVictim);
    assertThat(server.log()).contains(name(packFlip));
    assertBystanderIsFine();
    assertFsckNames(packVictim, packFlip);

    packFlip.invert();
    assertThat(packVictim.ask(PICTURE)).isEqualTo(picture);
    Amcheck.assertSound(packVictim);
  }

  @Test
  void damagedBootPackIsDoneWithout() throws Exception {
    assertThat(bootVictim.ask(PICTURE)).isEqualTo(picture);
    assertThat(server.log()).contains("starts without its boot pages");

    bootFlip.invert();
    bootVictim.suspend();
    assertThat(bootVictim.ask(PICTURE)).isEqualTo(picture);
    Amcheck.assertSound(bootVictim);
  }

  @Test
  void damagedIndexFailsTheReadAndItsRepairHeals() throws Exception {
    assertThatExceptionOfType(SQLException.class)
        .isThrownBy(() -> indexVictim.ask(WIDE))
        .returns("XX001", SQLException::getSQLState)
        .withMessageContaining("invalid page in block")
        .satisfies(error -> assertThat(detail(error)).contains(name(indexFlip)));
    assertThat(indexVictim.ask(PICTURE)).as("what does not need it").isEqualTo(picture);
    assertBystanderIsFine();
    assertFsckNames(indexVictim, indexFlip);

    indexFlip.invert();
    assertThat(indexVictim.ask(WIDE)).isEqualTo("40000 800020000");
    Amcheck.assertSound(indexVictim);
  }

  @Test
  void damagedIndexOfTheCatalogFailsTheLoginAndItsRepairHeals() throws Exception {
    assertThatExceptionOfType(SQLException.class)
        .isThrownBy(() -> catalogIndexVictim.ask(PICTURE))
        .returns("XX001", SQLException::getSQLState)
        .satisfies(error -> assertThat(detail(error)).contains(name(catalogIndexFlip)));
    assertBystanderIsFine();

    catalogIndexFlip.invert();
    assertThat(catalogIndexVictim.ask(PICTURE)).isEqualTo(picture);
    Amcheck.assertSound(catalogIndexVictim);
  }

  private static String name(Flip flip) {
    return flip.object().getFileName().toString();
  }

  /** PostgreSQL's DETAIL, which the gateway adds. */
  private static String detail(SQLException error) {
    return error instanceof PSQLException postgres && postgres.getServerErrorMessage() != null
        ? String.valueOf(postgres.getServerErrorMessage().getDetail())
        : "no DETAIL: " + error;
  }

  /** As a command of its own: fails, and says what is damaged; the bystander is sound. */
  private static void assertFsckNames(Database victim, Flip flip) throws Exception {
    try (EbbProcess check = fsck(victim.name())) {
      check.awaitLine("damaged ", FSCK);
      assertThat(check.awaitExit(FSCK)).isEqualTo(1);
      assertThat(check.output()).contains(name(flip)).contains(", 0 missing");
    }
    try (EbbProcess check = fsck(bystander.name())) {
      assertThat(check.awaitExit(FSCK)).as(check.output()).isZero();
      assertThat(check.output()).contains(" 0 damaged, 0 missing");
    }
  }

  private static EbbProcess fsck(String database) throws IOException {
    return EbbProcess.start(
        directory.resolve("cli"), Map.of("EBB_DATA", server.data().toString()), "fsck", database);
  }

  /** One byte is one page's: each of the table's other pages is there. */
  private static void assertOtherPagesAreReadable(Database database) throws Exception {
    int damaged = 0;
    int read = 0;
    try (var connection = database.connect()) {
      int blocks =
          Integer.parseInt(Database.ask(connection, "SELECT pg_relation_size('item') / 8192"));
      for (int block = 0; block < blocks; block++) {
        try {
          Database.ask(
              connection,
              "SELECT count(*) FROM item WHERE ctid >= '("
                  + block
                  + ",0)' AND ctid < '("
                  + (block + 1)
                  + ",0)'");
          read++;
        } catch (SQLException e) {
          assertThat(e.getSQLState()).isEqualTo("XX001");
          assertThat(e.getMessage()).contains("invalid page in block " + block + " of relation");
          damaged++;
        }
      }
    }
    assertThat(damaged).isEqualTo(1);
    assertThat(read).isGreaterThan(100);
  }

  private static void assertBystanderIsFine() throws Exception {
    assertThat(bystander.ask(PICTURE)).isEqualTo(picture);
    assertThat(server.get("/healthz/ready")).isNotEmpty();
  }
}
