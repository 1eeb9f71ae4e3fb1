package dev.ebb.walservice.broker;

import java.io.IOException;
import java.io.Reader;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Properties;
import java.util.regex.Pattern;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The id of the embedded Kafka, which is made once. It is kept in a file of its own and, by Kafka,
 * in {@code meta.properties}; either is enough. A new one is made only where there is nothing yet.
 */
final class ClusterId {
  private static final Logger log = LoggerFactory.getLogger(ClusterId.class);
  private static final String FILE = "cluster.id";
  private static final String META = "meta.properties";

  /** As Kafka's Uuid prints itself: 16 bytes in URL-safe Base64. */
  private static final Pattern ID = Pattern.compile("[A-Za-z0-9_-]{22}");

  private ClusterId() {}

  /**
   * Reads it, or makes it at the first start.
   *
   * @param dataDir holds our file
   * @param logs Kafka's directory, which exists
   * @throws IOException says what to do where it is lost, or where there are two
   */
  static String of(Path dataDir, Path logs) throws IOException {
    Path file = dataDir.resolve(FILE);
    String own = own(file);
    String kafkas = kafkas(logs);
    if (own != null && kafkas != null && !own.equals(kafkas)) {
      throw new IOException(
          file
              + " and "
              + logs.resolve(META)
              + " are of two Kafkas: restore all of "
              + dataDir
              + " from one backup");
    }
    if (own != null) {
      return own;
    }
    if (kafkas == null && hasTopics(logs)) {
      throw new IOException(
          file
              + " is missing or cut off, and so is "
              + logs.resolve(META)
              + ", but there are topics: restore one of the two files from a backup");
    }
    if (Files.exists(file)) {
      log.warn("{} was cut off; it is written anew", file);
    }
    String id = kafkas == null ? Uuid.randomUuid().toString() : kafkas;
    write(file, id);
    return id;
  }

  private static @Nullable String own(Path file) throws IOException {
    try {
      String id = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).strip();
      return ID.matcher(id).matches() ? id : null;
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  private static @Nullable String kafkas(Path logs) throws IOException {
    var properties = new Properties();
    try (Reader reader = Files.newBufferedReader(logs.resolve(META), StandardCharsets.ISO_8859_1)) {
      properties.load(reader);
    } catch (NoSuchFileException e) {
      return null;
    } catch (IllegalArgumentException e) { // it does not parse
      return null;
    }
    String id = properties.getProperty("cluster.id", "").strip();
    return ID.matcher(id).matches() ? id : null;
  }

  private static boolean hasTopics(Path logs) throws IOException {
    try (DirectoryStream<Path> topics = Files.newDirectoryStream(logs, Files::isDirectory)) {
      return topics.iterator().hasNext();
    }
  }

  /** Whole or not at all, and on disk when it returns. */
  private static void write(Path file, String id) throws IOException {
    Path temporary = file.resolveSibling(FILE + ".new");
    try (var channel =
        FileChannel.open(
            temporary,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      ByteBuffer content = StandardCharsets.US_ASCII.encode(id + "\n");
      while (content.hasRemaining()) {
        channel.write(content);
      }
      channel.force(true);
    }
    Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
    try (var directory =
        FileChannel.open(file.toAbsolutePath().getParent(), StandardOpenOption.READ)) {
      directory.force(true);
    }
  }
}
