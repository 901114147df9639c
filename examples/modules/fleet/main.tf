terraform {
  required_version = ">= 1.4"
}

resource "terraform_data" "machine" {
  count = var.size

  input = format("machine-%03d", count.index + 1)

  provisioner "local-exec" {
    command     = "echo \"$MACHINE starts\" && sleep \"$PAUSE\" && echo \"$MACHINE is ready\""
    environment = { MACHINE = self.input, PAUSE = var.pause }
  }
}
