package dev.ebb.computeservice.blockmap;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * The native programs that come with this module, laid out on the local disk.
 *
 * @param pageShim the library to preload into {@code postgres}
 * @param supervisor the program that starts and watches it
 */
public record NativeFiles(Path pageShim, Path supervisor) {

  /**
   * Unpacks them into a directory, which must exist; what is there is replaced atomically.
   *
   * @throws IOException also when this build was made without them
   */
  public static NativeFiles unpack(Path directory) throws IOException {
    return new NativeFiles(
        unpackOne(directory, "libebb_page_shim.so"), unpackOne(directory, "ebb-supervise"));
  }

  private static Path unpackOne(Path directory, String name) throws IOException {
    try (InputStream content = NativeFiles.class.getResourceAsStream("/native/" + name)) {
      if (content == null) {
        throw new IOException("this build has no native/" + name + ": was it built on Linux?");
      }
      Path temporary = Files.createTempFile(directory, name, ".tmp");
      Files.write(temporary, content.readAllBytes());
      Files.setPosixFilePermissions(temporary, PosixFilePermissions.fromString("rwxr-xr-x"));
      return Files.move(
          temporary,
          directory.resolve(name),
          java.nio.file.StandardCopyOption.ATOMIC_MOVE,
          java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    }
  }
}
