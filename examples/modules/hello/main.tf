terraform {
  required_version = ">= 1.4"
}

resource "terraform_data" "greeting" {
  input = "Hello, ${var.who}!"
}
