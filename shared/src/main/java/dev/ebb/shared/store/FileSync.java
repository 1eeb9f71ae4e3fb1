package dev.ebb.shared.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** The two ways in which the local store makes something durable; a test replaces it. */
interface FileSync {
  FileSync REAL =
      new FileSync() {
        @Override
        public void writeNew(Path file, byte[] content) throws IOException {
          try (var channel =
              FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            var buffer = ByteBuffer.wrap(content);
            while (buffer.hasRemaining()) {
              channel.write(buffer);
            }
            channel.force(true);
          }
        }

        @Override
        public void syncDirectory(Path directory) throws IOException {
          try (var channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
          }
        }
      };

  /** Writes a file that must not exist yet; its bytes are durable at return. */
  void writeNew(Path file, byte[] content) throws IOException;

  /** Makes names made in, moved into or removed from a directory durable. */
  void syncDirectory(Path directory) throws IOException;
}
