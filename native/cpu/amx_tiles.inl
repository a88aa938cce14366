// amx_tiles.inl: tile registers of 16 rows of 64 bytes. Include <immintrin.h> before, and this inside a namespace of its own.

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

// Tile registers belong to a thread, and keep the system busy while they are configured: for as long as one of these lives.
struct Tiles {
  Tiles() {
    TileConfig config;
    for (int i = 0; i < 8; i++) {
      config.row_bytes[i] = 64;
      config.rows[i] = 16;
    }
    _tile_loadconfig(&config);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles &) = delete;
};
